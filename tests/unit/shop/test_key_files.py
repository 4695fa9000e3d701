"""The keys of a development stack, as Compose's job and the native stack make them."""

import stat
import subprocess
import sys
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from common_lib.settings.production import DEVELOPMENT_MARK


def make_keys(*paths: Path) -> list[str]:
    command = [sys.executable, "-m", "shop.stack.key_files", *map(str, paths)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.rsplit(": ", 1)[1] for line in finished.stdout.splitlines()]


def test_a_missing_key_is_created_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "service.pem"

    assert make_keys(path) == ["created"]

    key = load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_exists_is_kept(tmp_path: Path) -> None:
    old, new = tmp_path / "service.pem", tmp_path / "jwt.pem"
    make_keys(old)
    before = old.read_bytes()

    assert make_keys(old, new) == ["kept", "created"]

    assert old.read_bytes() == before
    assert new.read_bytes() != before


def test_any_other_name_becomes_a_key_that_encrypts(tmp_path: Path) -> None:
    path = tmp_path / "field.key"

    make_keys(path)

    mark, key = path.read_bytes().split(b"\n")
    kept = Fernet(key)
    assert mark == DEVELOPMENT_MARK
    assert kept.decrypt(kept.encrypt(b"a secret")) == b"a secret"
