"""Opaque cursors: where a page ended, as text that a URL can carry."""

import base64
import binascii
import json
from uuid import UUID

from common_lib.errors import FieldError, Rejected

MAX_LENGTH = 256


class InvalidCursor(Rejected):
    code = "invalid_cursor"
    title = "The cursor is not one that this list gave out"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("/cursor", self.code, self.title)])


def encode_cursor(sort: str, value: str | int | None, identifier: UUID) -> str:
    raw = json.dumps([sort, value, identifier.hex], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursor: str, sort: str) -> tuple[str | int | None, UUID]:
    """Return the sort value and the id. Raises InvalidCursor, also for another sort's cursor."""
    if len(cursor) > MAX_LENGTH:
        raise InvalidCursor
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        named, value, identifier = json.loads(raw)
        found = UUID(hex=identifier)
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise InvalidCursor from None
    is_plain = value is None or (isinstance(value, (str, int)) and not isinstance(value, bool))
    if named != sort or not is_plain:
        raise InvalidCursor
    return value, found
