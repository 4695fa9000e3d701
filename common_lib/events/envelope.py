"""The envelope around every event, and the registry of event classes.

An envelope has an id of its own, which is what consumers deduplicate by. It is never derived from
an order's idempotency key: ORDER_SHIPPED would then be dropped as a repeat of ORDER_CREATED.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from common_lib.clock import now
from common_lib.ids import new_id


class Topic(StrEnum):
    ORDER_EVENTS = "order-events"
    USER_EVENTS = "user-events"
    CATALOG_EVENTS = "catalog-events"


class InvalidEvent(Exception):
    """The message is not an event this program knows; it belongs in the dead letter queue."""


class EventPart(BaseModel):
    """A frozen piece of an event's body: camelCase on the wire, unknown members ignored."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore"
    )


class Event(EventPart):
    """Base of all events. A subclass names its wire type; creating it registers it."""

    event_type: ClassVar[str]
    version: ClassVar[int] = 1
    topic: ClassVar[Topic]
    # Its `data.token` opens something: it is struck out of the outbox once it is published.
    carries_token: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "event_type" in cls.__dict__:
            _EVENT_CLASSES[cls.event_type, cls.version] = cls

    @property
    def key(self) -> str:
        """The aggregate the event is about; events of one key are published in order."""
        raise AttributeError(f"{type(self).__name__} names no aggregate")


_EVENT_CLASSES: dict[tuple[str, int], type[Event]] = {}


class Envelope(EventPart):
    """An event as it travels: `data` is the event's own body in camelCase."""

    event_id: UUID = Field(default_factory=new_id)
    event_type: str
    version: int = 1
    source: str
    occurred_at: datetime = Field(default_factory=now)
    correlation_id: str | None = None
    key: str
    data: dict[str, Any]

    @classmethod
    def wrap(cls, event: Event, *, source: str, correlation_id: str | None = None) -> Self:
        return cls(
            event_type=event.event_type,
            version=event.version,
            source=source,
            correlation_id=correlation_id,
            key=event.key,
            data=event.model_dump(mode="json", by_alias=True),
        )


def types_with_token() -> frozenset[str]:
    """Return the wire types whose body carries a token that must not be kept."""
    return frozenset(wire for (wire, _), kind in _EVENT_CLASSES.items() if kind.carries_token)


def parse_envelope(body: str | bytes) -> Envelope:
    """Read a message body; raises InvalidEvent for anything that is no envelope."""
    try:
        return Envelope.model_validate_json(body)
    except ValidationError as error:
        raise InvalidEvent(f"not an envelope: {error.error_count()} errors") from None


def event_from(envelope: Envelope) -> Event:
    """Return the typed event inside; raises InvalidEvent for an unknown type or version."""
    event_class = _EVENT_CLASSES.get((envelope.event_type, envelope.version))
    if event_class is None:
        raise InvalidEvent(f"unknown event {envelope.event_type} version {envelope.version}")
    try:
        return event_class.model_validate(envelope.data)
    except ValidationError as error:
        raise InvalidEvent(
            f"{envelope.event_type} does not fit its schema: {error.error_count()} errors"
        ) from None
