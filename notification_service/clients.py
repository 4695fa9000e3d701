"""E-mail out, by SES."""

import contextlib
import importlib
from dataclasses import dataclass
from typing import Any, Final, Self

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from common_lib.bus import aws_client_arguments, aws_client_config
from common_lib.errors import Rejected, Unavailable
from notification_service.settings import Settings

log = structlog.get_logger(__name__)

# What SES says about one mail; everything else it says is about the service as a whole.
# https://docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html#API_SendEmail_Errors
_ABOUT_THIS_MAIL: Final = frozenset(
    {"MessageRejected", "InvalidParameterValue", "ValidationError", "InvalidParameter"}
)
_CHARSET: Final = "UTF-8"


class MailRefused(Rejected):
    """SES will not take this mail, however often it is asked."""

    code = "mail_refused"
    title = "The mail was refused"


@dataclass(frozen=True, slots=True)
class Mail:
    recipient: str
    subject: str
    html: str
    text: str


class MailSender:
    """One long-lived SES client (v1: SendEmail). Unavailable means that SES is away as a whole."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = contextlib.AsyncExitStack()
        self._ses: Any = None

    async def __aenter__(self) -> Self:
        # Loaded here, as the service that only shows what was sent needs none of it.
        session = importlib.import_module("common_lib.bus.sessions").new_session()
        self._ses = await self._stack.enter_async_context(
            session.client(
                "ses",
                **aws_client_arguments(self._settings),
                config=aws_client_config(read_timeout_s=self._settings.mail_timeout_s),
            )
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def send(self, mail: Mail) -> str:
        """Hand a mail to SES and return its message id. Raises MailRefused or Unavailable.

        SES knows no idempotency token: after a lost answer the mail may go out twice.
        """
        try:
            answer = await self._ses.send_email(
                Source=self._settings.mail_sender,
                Destination={"ToAddresses": [mail.recipient]},
                Message=_message(mail),
            )
        except ClientError as error:
            raise self._translated(error) from error
        except (BotoCoreError, OSError, TimeoutError) as error:
            log.warning("ses.unavailable", error=type(error).__name__)
            raise Unavailable("ses does not answer") from error
        return str(answer["MessageId"])

    async def ping(self) -> None:
        """Ask SES for the account's quota. Raises Unavailable."""
        try:
            await self._ses.get_send_quota()
        except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
            raise Unavailable("ses does not answer") from error

    def _translated(self, error: ClientError) -> Exception:
        reason = error.response.get("Error", {})
        code, message = reason.get("Code", ""), reason.get("Message", "")
        # An unverified sender stops every mail, not this one: wait until it is mended.
        if code not in _ABOUT_THIS_MAIL or self._settings.mail_sender in message:
            log.warning("ses.unavailable", error=code)
            return Unavailable("ses does not take mail just now")
        return MailRefused(f"ses refused the mail: {code}")


def _message(mail: Mail) -> dict[str, Any]:
    return {
        "Subject": {"Data": mail.subject, "Charset": _CHARSET},
        "Body": {
            "Html": {"Data": mail.html, "Charset": _CHARSET},
            "Text": {"Data": mail.text, "Charset": _CHARSET},
        },
    }
