"""Keys and passwords of a local stack, made on its first start and never committed."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

OWNER_ONLY = 0o600
KEY_NAMES = ("jwt", "service")


@dataclass(frozen=True)
class Secrets:
    mysql_password: str
    payment_webhook_secret: str


def load_or_create(keys: Path) -> Secrets:
    """Read the stack's secrets; the first call makes them and two EC P-256 private keys."""
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in KEY_NAMES:
        if not key_file(keys, name).exists():
            _write(key_file(keys, name), _new_private_key())
    file = keys / "secrets.json"
    if not file.exists():
        _write(file, json.dumps(asdict(_new_secrets())).encode())
    return Secrets(**json.loads(file.read_text()))


def key_file(keys: Path, name: str) -> Path:
    return keys / f"{name}.pem"


def _new_secrets() -> Secrets:
    return Secrets(secrets.token_hex(16), secrets.token_hex(32))


def _new_private_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.replace(path)
