"""Which of SES's answers are about one mail, and which about SES as a whole."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from common_lib.errors import Unavailable
from notification_service.clients import Mail, MailRefused, MailSender
from notification_service.settings import Settings

SETTINGS = Settings.model_validate({"database_url": "mysql+asyncmy://localhost/notifications_db"})
MAIL = Mail("asha@example.com", "Welcome! 🎉", "<p>Hi</p>", "Hi")


class StubSes:
    """SES as far as the sender calls it: it raises what it was given, or takes the mail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[dict[str, Any]] = []

    async def send_email(self, **arguments: Any) -> dict[str, str]:
        if self.error is not None:
            raise self.error
        self.sent.append(arguments)
        return {"MessageId": "m-1"}


def sender_with(ses: StubSes) -> MailSender:
    sender = MailSender(SETTINGS)
    sender._ses = ses
    return sender


def client_error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "SendEmail")


async def test_a_mail_is_handed_over_with_both_bodies_in_utf8() -> None:
    ses = StubSes()

    assert await sender_with(ses).send(MAIL) == "m-1"

    (sent,) = ses.sent
    assert sent["Source"] == "noreply@ecommerce.com"
    assert sent["Destination"] == {"ToAddresses": ["asha@example.com"]}
    assert sent["Message"]["Subject"] == {"Data": "Welcome! 🎉", "Charset": "UTF-8"}
    assert set(sent["Message"]["Body"]) == {"Html", "Text"}


@pytest.mark.parametrize(
    "error",
    [
        client_error("Throttling"),
        client_error("ServiceUnavailable"),
        client_error("InternalFailure"),
        client_error("AccountSendingPausedException"),
        client_error("AccessDenied"),
        client_error("MessageRejected", "Email address not verified noreply@ecommerce.com"),
        EndpointConnectionError(endpoint_url="http://ses"),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
async def test_an_outage_is_waited_out(error: Exception) -> None:
    with pytest.raises(Unavailable):
        await sender_with(StubSes(error)).send(MAIL)


@pytest.mark.parametrize(
    "error",
    [
        client_error("MessageRejected", "Address is on the suppression list"),
        client_error("InvalidParameterValue", "Missing final '@domain'"),
    ],
)
async def test_a_refused_mail_is_refused_for_good(error: Exception) -> None:
    with pytest.raises(MailRefused):
        await sender_with(StubSes(error)).send(MAIL)
