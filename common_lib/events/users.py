"""Events of the user service, on the topic user-events."""

from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from pydantic import Field

from common_lib.events.envelope import Event, Topic


class UserEvent(Event):
    """Every user event carries the recipient as it was at that moment."""

    topic: ClassVar[Topic] = Topic.USER_EVENTS

    user_id: UUID
    email: str
    full_name: str

    @property
    def key(self) -> str:
        return str(self.user_id)


class UserRegistered(UserEvent):
    event_type: ClassVar[str] = "USER_REGISTERED"


class UserVerified(UserEvent):
    event_type: ClassVar[str] = "USER_VERIFIED"


class PasswordChanged(UserEvent):
    event_type: ClassVar[str] = "PASSWORD_CHANGED"


class EmailChanged(UserEvent):
    """The account has another address now; `email` is the one it had before."""

    event_type: ClassVar[str] = "EMAIL_CHANGED"


class SecondFactorEnabled(UserEvent):
    event_type: ClassVar[str] = "MFA_ENABLED"


class SecondFactorDisabled(UserEvent):
    event_type: ClassVar[str] = "MFA_DISABLED"


class UserTokenEvent(UserEvent):
    """`token` works once, until `expires_at`, for whoever reads the mail to `email`."""

    carries_token: ClassVar[bool] = True

    token: str = Field(repr=False)
    expires_at: datetime


class EmailVerificationRequested(UserTokenEvent):
    event_type: ClassVar[str] = "EMAIL_VERIFICATION_REQUESTED"


class PasswordResetRequested(UserTokenEvent):
    event_type: ClassVar[str] = "PASSWORD_RESET"


# What stands in the place of a person who was erased. No mail can ever be delivered to that domain
# (RFC 2606, 2).
DELETED_NAME: Final = "Deleted user"
_DEAD_DOMAIN: Final = "@deleted.invalid"


def dead_address(user_id: UUID) -> str:
    """Return what stands for the address of an erased user, different for each."""
    return f"{user_id.hex}{_DEAD_DOMAIN}"


def is_dead_address(email: str) -> bool:
    return email.endswith(_DEAD_DOMAIN)


class UserDeleted(Event):
    """The account was anonymised: no name and no address travel with it."""

    topic: ClassVar[Topic] = Topic.USER_EVENTS
    event_type: ClassVar[str] = "USER_DELETED"

    user_id: UUID

    @property
    def key(self) -> str:
        return str(self.user_id)
