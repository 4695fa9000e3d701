# ruff: noqa: INP001  -- run by its path, a member of no package
"""Create the signing keys that are not there yet: ``make_keys.py FILE...`` (EC P-256, PEM).

Development only: in production the keys come from the platform's secret store. A key that
exists is left alone, so running this again invalidates no token.
"""

import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

OWNER_READ_ONLY = 0o400


def new_key_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def create_if_absent(path: Path) -> bool:
    """Write a whole new key or leave the one that is there; readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(new_key_pem())
    draft.chmod(OWNER_READ_ONLY)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        sys.stdout.write(f"{path}: {'created' if create_if_absent(path) else 'kept'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
