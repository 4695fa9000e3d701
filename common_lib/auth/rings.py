"""Signing keys that change while the process runs.

A ring is the files beside the one that signs. For `jwt.pem`:

- `jwt.pem` signs;
- `jwt.next.pem` signs after the next rotation and is published beforehand, so that whoever checks
  tokens knows it by then;
- `jwt.retired-<epoch seconds>.pem` signed before, and is believed until that moment.

Each step of a rotation (`shop keys rotate`) renames one file, so at every instant the folder is
a whole ring. Every process looks at it again by itself, a moment after it has changed.
"""

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from common_lib.auth.keys import SigningKey

log = structlog.get_logger(__name__)

LOOK_AGAIN_S: Final = 2.0
_RETIRED: Final = re.compile(r"\.retired-([0-9]{1,12})\.pem")

# What tells that a file is another one than before.
_Stamp = tuple[Path, int, int]


def next_file(path: Path) -> Path:
    return path.with_suffix(".next.pem")


def retired_file(path: Path, believed_until: float) -> Path:
    return path.with_suffix(f".retired-{int(believed_until)}.pem")


def retired_files(path: Path) -> dict[Path, int]:
    """Return the keys that signed before, each with the epoch second until which it counts."""
    found: dict[Path, int] = {}
    for candidate in sorted(path.parent.glob(f"{path.stem}.retired-*.pem")):
        match = _RETIRED.fullmatch(candidate.name.removeprefix(path.stem))
        if match is not None:
            found[candidate] = int(match[1])
    return found


class KeyRing:
    """The keys beside `path`, looked at again every two seconds when they are used.

    A folder that cannot be read any more, or half a key in it, changes nothing: what was read last
    goes on. Raises ValueError naming the file if that happens at the very start.
    """

    def __init__(self, path: Path, *, next_path: Path | None = None) -> None:
        if next_path is not None:
            SigningKey.from_file(next_path)
        self._path = path
        self._next = next_path or next_file(path)
        self._revision = 0
        self._stamps = self._look_at_files()
        self._keys = self._read(self._stamps)
        self._current = next(iter(self._keys.values()))
        self._look_again_at = time.monotonic() + LOOK_AGAIN_S

    @property
    def revision(self) -> int:
        """Grows whenever a key is dropped: what it had signed must not be believed any longer."""
        self._look()
        return self._revision

    @property
    def key_id(self) -> str:
        self._look()
        return self._current.key_id

    def sign(self, claims: Mapping[str, Any], token_type: str) -> str:
        self._look()
        return self._current.sign(claims, token_type)

    def find(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        self._look()
        found = self._keys.get(key_id)
        return found.public if found is not None else None

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        return self.find(key_id)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys (RFC 7517), the one that signs first."""
        self._look()
        return {"keys": [key.jwk for key in self._keys.values()]}

    def _look(self) -> None:
        """Take up what has changed; at most every two seconds, some 50 µs on a local disk."""
        if time.monotonic() < self._look_again_at:
            return
        self._look_again_at = time.monotonic() + LOOK_AGAIN_S
        try:
            stamps = self._look_at_files()
            if stamps != self._stamps:
                self._take_up(self._read(stamps))
                self._stamps = stamps
        except (OSError, ValueError) as error:
            log.warning("keys.not_taken_up", file=str(self._path), error=str(error))

    def _take_up(self, keys: dict[str, SigningKey]) -> None:
        is_one_dropped = not self._keys.keys() <= keys.keys()
        self._keys = keys
        self._current = next(iter(keys.values()))
        self._revision += is_one_dropped
        log.info("keys.taken_up", signs=self._current.key_id, known=len(keys))

    def _look_at_files(self) -> tuple[_Stamp, ...]:
        return tuple(self._stamped())

    def _stamped(self) -> Iterator[_Stamp]:
        """Yield the file that signs, then the others that count now."""
        yield _stamp(self._path) or (self._path, 0, 0)
        waiting = _stamp(self._next)
        if waiting is not None:
            yield waiting
        for file, believed_until in retired_files(self._path).items():
            stamp = _stamp(file) if believed_until > time.time() else None
            if stamp is not None:
                yield stamp

    @staticmethod
    def _read(stamps: tuple[_Stamp, ...]) -> dict[str, SigningKey]:
        keys = (SigningKey.from_file(file) for file, _, _ in stamps)
        found: dict[str, SigningKey] = {}
        for key in keys:
            found.setdefault(key.key_id, key)
        return found


def _stamp(file: Path) -> _Stamp | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return file, found.st_mtime_ns, found.st_ino
