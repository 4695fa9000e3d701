"""What the services tell each other: typed, frozen, versioned."""

from common_lib.events import catalog, orders, users
from common_lib.events.envelope import (
    Envelope,
    Event,
    EventPart,
    InvalidEvent,
    Topic,
    event_from,
    parse_envelope,
    types_with_token,
)

# All modules are imported, so that every wire type is known wherever one is.
__all__ = [
    "Envelope",
    "Event",
    "EventPart",
    "InvalidEvent",
    "Topic",
    "catalog",
    "event_from",
    "orders",
    "parse_envelope",
    "types_with_token",
    "users",
]
