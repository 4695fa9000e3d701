"""Rings of signing keys: what signs, what is believed, and when a change is taken up."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common_lib.auth import InvalidToken, KeyRing, Role, ServiceTokens, SigningKey, TokenSigner
from common_lib.auth.rings import LOOK_AGAIN_S, next_file, retired_file
from common_lib.auth.tokens import TokenVerifier
from common_lib.ids import new_id
from shop.keys import PEOPLE, SERVICES, replace, replace_leaked
from shop.stack.errors import StackError
from shop.stack.key_files import DEVELOPMENT_MARK, create_if_absent, new_signing_key

ISSUER, AUDIENCE = "https://shop.test", "shop"
Later = Callable[[float], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ring whose next key has been published for long."""
    path = tmp_path / "jwt.pem"
    for file in (path, next_file(path)):
        create_if_absent(file)
        os.utime(file, (1, 1))
    return path


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Let time pass for those who look at the folder now and then, and at expiries."""
    passed = 0.0
    monotonic, wall = time.monotonic, time.time
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed)
    monkeypatch.setattr(time, "time", lambda: wall() + passed)

    def pass_by(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    return pass_by


def quiet(_line: str) -> None:
    """Take what a rotation says."""


def key_ids(ring: KeyRing) -> list[str]:
    return [key["kid"] for key in ring.jwks()["keys"]]


def access(ring: KeyRing) -> str:
    signer = TokenSigner(ring, issuer=ISSUER, audience=AUDIENCE)
    return signer.access(new_id(), Role.CUSTOMER, "session")


def verifier(ring: KeyRing) -> TokenVerifier:
    return TokenVerifier(ring, issuer=ISSUER, audience=AUDIENCE)


def test_the_key_that_waits_is_published_and_does_not_sign(path: Path) -> None:
    ring = KeyRing(path)

    assert ring.key_id == SigningKey.from_file(path).key_id
    assert key_ids(ring) == [ring.key_id, SigningKey.from_file(next_file(path)).key_id]


async def test_a_rotation_is_taken_up_and_no_token_is_refused(path: Path, later: Later) -> None:
    ring, checks = KeyRing(path), verifier(KeyRing(path))
    first, waiting = key_ids(ring)
    old = access(ring)

    replace(path, PEOPLE, quiet)
    later(LOOK_AGAIN_S)
    new = access(ring)

    assert ring.key_id == waiting
    assert key_ids(ring)[2] == first
    assert await checks.verify(old)
    assert await checks.verify(new)
    assert ring.revision == 0


async def test_the_old_key_is_believed_as_long_as_its_tokens_live(path: Path, later: Later) -> None:
    ring = KeyRing(path)
    first = ring.key_id
    replace(path, PEOPLE, quiet)

    later(30 * 60 + 30)
    assert first in key_ids(ring)
    later(60)
    assert first not in key_ids(ring)
    assert ring.revision == 1


async def test_a_leaked_keys_tokens_die_even_where_they_were_seen_before(
    path: Path, later: Later
) -> None:
    ring, checks = KeyRing(path), verifier(KeyRing(path))
    replace(path, PEOPLE, quiet)
    later(LOOK_AGAIN_S)
    leaked = access(ring)
    assert await checks.verify(leaked)
    waiting = key_ids(ring)[1]

    replace_leaked(path, with_next=False)
    later(LOOK_AGAIN_S)

    assert checks.known(leaked) is None
    with pytest.raises(InvalidToken):
        await checks.verify(leaked)
    assert ring.key_id == waiting
    assert len(key_ids(ring)) == 2
    assert await checks.verify(access(ring))


def test_where_the_waiting_key_leaked_too_none_of_them_stays(path: Path) -> None:
    before = set(key_ids(KeyRing(path)))

    replace_leaked(path, with_next=True)

    after = key_ids(KeyRing(path))
    assert len(after) == 2
    assert not before & set(after)


async def test_services_go_on_while_their_key_is_replaced(path: Path, later: Later) -> None:
    ring = KeyRing(path)
    caller, called = (ServiceTokens(ring, name) for name in ("order", "catalog"))
    late = ServiceTokens(KeyRing(path), "order")
    token = caller.issue("catalog")

    replace(path, SERVICES, quiet)

    assert called.verify(late.issue("catalog")) == "order"
    later(LOOK_AGAIN_S)
    assert called.verify(token) == "order"
    assert caller.issue("user") != token
    assert ServiceTokens(KeyRing(path), "user").verify(caller.issue("user")) == "order"


def test_a_leaked_service_key_opens_nothing_more(path: Path, later: Later) -> None:
    ring = KeyRing(path)
    caller, called = (ServiceTokens(ring, name) for name in ("order", "catalog"))
    token = caller.issue("catalog")
    assert called.verify(token)

    replace_leaked(path, with_next=False)
    later(LOOK_AGAIN_S)

    with pytest.raises(InvalidToken):
        called.verify(token)
    assert called.verify(caller.issue("catalog")) == "order"


@pytest.mark.parametrize("content", [b"", b"no key", DEVELOPMENT_MARK])
def test_a_broken_file_changes_nothing_while_the_process_runs(
    path: Path, later: Later, content: bytes
) -> None:
    ring = KeyRing(path)
    before = key_ids(ring)

    path.write_bytes(content)
    later(LOOK_AGAIN_S)

    assert key_ids(ring) == before
    with pytest.raises(ValueError, match=r"jwt\.pem"):
        KeyRing(path)


def test_a_vanished_folder_changes_nothing_while_the_process_runs(path: Path, later: Later) -> None:
    ring = KeyRing(path)
    before = key_ids(ring)

    for file in path.parent.iterdir():
        file.unlink()
    later(LOOK_AGAIN_S)

    assert key_ids(ring) == before


def test_files_of_other_names_are_no_keys(path: Path) -> None:
    for name in ("jwt.retired-soon.pem", "jwt.retired-.pem", "other.retired-9999999999.pem"):
        path.with_name(name).write_bytes(new_signing_key())

    assert len(key_ids(KeyRing(path))) == 2


def test_a_rotation_waits_until_the_next_key_is_known(path: Path, later: Later) -> None:
    os.utime(next_file(path))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        later(SERVICES.published_s)

    replace(path, SERVICES, say)

    assert len(said) == 1


def test_an_interrupted_rotation_is_simply_done_again(path: Path) -> None:
    first = SigningKey.from_file(path).key_id
    retired_file(path, time.time() + 100).write_bytes(path.read_bytes())
    assert KeyRing(path).key_id == first
    next_file(path).replace(path)
    second = KeyRing(path).key_id

    replace_leaked(path, with_next=False)

    assert KeyRing(path).key_id not in {first, second}


def test_new_keys_are_for_the_same_readers_and_marked_like_the_old(path: Path) -> None:
    for file in (path, next_file(path)):
        file.chmod(0o440)

    replace(path, PEOPLE, quiet)

    files = list(path.parent.iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o440}
    assert all(file.read_bytes().startswith(DEVELOPMENT_MARK) for file in files)


def test_a_real_key_is_followed_by_real_ones(path: Path) -> None:
    path.write_bytes(new_signing_key())

    replace_leaked(path, with_next=True)

    assert not any(file.read_bytes().startswith(DEVELOPMENT_MARK) for file in path.parent.iterdir())


def test_without_a_key_there_is_nothing_to_rotate(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="cannot be read"):
        replace(tmp_path / "jwt.pem", PEOPLE, quiet)
    with pytest.raises(StackError, match="No such file"):
        replace(tmp_path / "nowhere" / "jwt.pem", PEOPLE, quiet)
