"""Events of the user service, on the topic user-events."""

from typing import ClassVar
from uuid import UUID

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


class UserDeleted(Event):
    """The account was anonymised: no name and no address travel with it."""

    topic: ClassVar[Topic] = Topic.USER_EVENTS
    event_type: ClassVar[str] = "USER_DELETED"

    user_id: UUID

    @property
    def key(self) -> str:
        return str(self.user_id)
