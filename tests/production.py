"""What a service of the production profile is given at least, on the parts of a test stack."""

from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from shop.stack.key_files import new_signing_key, write_for_owner
from user_service.settings import Settings

SECRET = "a-secret-of-production"


def production(folder: Path) -> dict[str, Any]:
    """Return settings of the user service that production takes, with keys of its own."""
    keys = {"jwt.pem": new_signing_key(), "service.pem": new_signing_key()}
    for name, content in (keys | {"field.key": Fernet.generate_key()}).items():
        write_for_owner(folder / name, content)
    return {
        "profile": "production",
        "aws_access_key_id": SECRET,
        "aws_secret_access_key": SECRET,
        "service_token_key_file": folder / "service.pem",
        "jwt_private_key_file": folder / "jwt.pem",
        "field_key_file": folder / "field.key",
        "bcrypt_rounds": 12,
    } | {name: field.default for name, field in Settings.model_fields.items() if "_limit_" in name}
