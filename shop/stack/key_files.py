"""Key files of a development stack; ``python -m shop.stack.key_files FILE...`` makes those missing.

A name ending in ``.pem`` becomes an EC P-256 private key that signs, any other a Fernet key that
encrypts. Development only: in production the keys come from the platform's secret store. A key that
exists is left alone, so running this again invalidates nothing.
"""

import os
import sys
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

OWNER_ONLY = 0o600
_PEM = ".pem"
# Before the PEM, where readers of keys pass it over: the production profile refuses such a file.
DEVELOPMENT_MARK = b"Made for development.\n"


def new_signing_key() -> bytes:
    """Return a new EC P-256 private key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_key(path: Path) -> bytes:
    """Return a new key of the kind that the file's name asks for."""
    return DEVELOPMENT_MARK + (new_signing_key() if path.suffix == _PEM else Fernet.generate_key())


def create_if_absent(path: Path) -> bool:
    """Write a whole new key or leave the one that is there; readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    write_for_owner(draft, new_key(path))
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def write_for_owner(path: Path, content: bytes) -> None:
    """Write a file that nobody but its owner could ever read; one that is there is replaced."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        print(f"{path}: {'created' if create_if_absent(path) else 'kept'}")


if __name__ == "__main__":
    main(sys.argv[1:])
