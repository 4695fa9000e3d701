"""E-mail out, by SES; and whom to write to, from the user service."""

import contextlib
import importlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Self
from uuid import UUID

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from common_lib.bus import aws_client_arguments, aws_client_config
from common_lib.errors import Rejected, Unavailable
from common_lib.http_client import HttpClient
from notification_service.settings import Settings

log = structlog.get_logger(__name__)

# What SES says about one mail; everything else it says is about the service as a whole.
# https://docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html#API_SendEmail_Errors
_ABOUT_THIS_MAIL: Final = frozenset(
    {"MessageRejected", "InvalidParameterValue", "ValidationError", "InvalidParameter"}
)
_CHARSET: Final = "UTF-8"
_KNOWN_FOR_S: Final = 60.0
_MAX_KNOWN: Final = 10_000


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


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to write to, as the user service knows the person."""

    email: str
    full_name: str


class People:
    """Asks the user service for addresses; each is kept for a minute."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._known: OrderedDict[UUID, tuple[float, Contact]] = OrderedDict()

    async def contact(self, user_id: UUID) -> Contact | None:
        """Return the contact, None for an account that is gone. Raises Unavailable."""
        known = self._known.get(user_id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        answer = await self._http.request(
            "GET", f"/internal/users/{user_id}/contact", is_idempotent=True
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise Unavailable("the user service does not answer", retry_after_s=1)
        body = answer.json()
        return self._remember(user_id, Contact(body["email"], body["fullName"]))

    def _remember(self, user_id: UUID, contact: Contact) -> Contact:
        self._known[user_id] = (time.monotonic() + _KNOWN_FOR_S, contact)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)
        return contact


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
