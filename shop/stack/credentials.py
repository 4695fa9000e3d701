"""Keys and passwords of a local stack, made on its first start and never committed."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from shop.stack.key_files import create_if_absent, write_for_owner

# Those that sign, and those that are known already and sign after the next rotation.
KEY_NAMES = ("jwt", "jwt.next", "service", "service.next")


@dataclass(frozen=True)
class Secrets:
    mysql_password: str
    payment_webhook_secret: str


def load_or_create(keys: Path) -> Secrets:
    """Read the stack's secrets; the first call makes them and the keys that sign and encrypt."""
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in (*(key_file(keys, name) for name in KEY_NAMES), field_key_file(keys)):
        create_if_absent(path)
    file = keys / "secrets.json"
    if not file.exists():
        _write(file, json.dumps(asdict(_new_secrets())).encode())
    return Secrets(**json.loads(file.read_text()))


def key_file(keys: Path, name: str) -> Path:
    return keys / f"{name}.pem"


def field_key_file(keys: Path) -> Path:
    """Name the file of the key that encrypts single columns."""
    return keys / "field.key"


def _new_secrets() -> Secrets:
    return Secrets(secrets.token_hex(16), secrets.token_hex(32))


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    write_for_owner(draft, content)
    draft.replace(path)
