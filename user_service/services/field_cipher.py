"""Encryption of single columns, with a key that the database does not hold."""

from pathlib import Path
from typing import Self
from uuid import UUID

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from common_lib.errors import Unavailable
from common_lib.settings.production import DEVELOPMENT_MARK
from common_lib.settings.start import UnfitForStart

log = structlog.get_logger(__name__)

_ID_LENGTH = 16
_NO_KEYS = frozenset({b"", DEVELOPMENT_MARK})


class Unreadable(Unavailable):
    """Written under a key that is gone, or for another owner; logged, for somebody has to act."""

    title = "What was encrypted cannot be read just now"


class FieldCipher:
    """Fernet (AES-128-CBC and HMAC-SHA256) under the first key; every key still decrypts.

    What is encrypted is bound to its owner: copied into another user's row it cannot be read.
    """

    def __init__(self, *keys: bytes) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read keys, one a line. Raises UnfitForStart naming a file without any."""
        try:
            lines = path.read_bytes().split(b"\n")
            return cls(*(line for line in map(bytes.strip, lines) if line not in _NO_KEYS))
        except OSError as error:
            raise UnfitForStart(f"the field key {path} cannot be read: {error.strerror}") from None
        except ValueError:
            raise UnfitForStart(f"the field key {path} holds no Fernet key on each line") from None

    def encrypt(self, owner: UUID, text: str) -> bytes:
        return self._fernet.encrypt(owner.bytes + text.encode())

    def decrypt(self, owner: UUID, sealed: bytes) -> str:
        """Return the text. Raises Unreadable."""
        opened = self._opened(sealed)
        if opened is None:
            log.error("field.key_is_missing", owner=str(owner))
            raise Unreadable
        if opened[:_ID_LENGTH] != owner.bytes:
            log.error("field.is_anothers", owner=str(owner))
            raise Unreadable
        return opened[_ID_LENGTH:].decode()

    def _opened(self, sealed: bytes) -> bytes | None:
        try:
            return self._fernet.decrypt(bytes(sealed))
        except InvalidToken:
            return None
