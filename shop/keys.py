"""`shop keys`: shows the signing keys and replaces them, without a restart and without a 401.

The files and their roles are those of `common_lib.auth.rings`. One rotation: the key that waited
signs, the one that signed is believed until its last token has expired, a new one waits. As it is
published while it waits, every verifier knows it long before it signs.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from common_lib.auth import ACCESS_LIFETIME_S, LEEWAY_S, SigningKey
from common_lib.auth.rings import LOOK_AGAIN_S, next_file, retired_file, retired_files
from common_lib.auth.tokens import SERVICE_LIFETIME_S
from shop.stack import choice, docker, memory
from shop.stack.credentials import key_file
from shop.stack.errors import StackError
from shop.stack.key_files import DEVELOPMENT_MARK, new_signing_key, write_for_owner
from shop.stack.layout import Layout
from shop.stack.progress import Progress

# A process that looked at the folder just before a rotation signs with the old key until it looks
# again; a busy one comes to it late.
_SLACK_S: Final = 30 + LOOK_AGAIN_S
_POLL_S: Final = 0.2


@dataclass(frozen=True)
class Ring:
    """A kind of keys: how long one is published before it signs, and believed afterwards.

    A verifier asks for the key set every 30 s; services read the service keys from the folder.
    """

    name: str
    in_docker: str
    published_s: float
    believed_s: float


PEOPLE: Final = Ring("jwt", "/keys/tokens/jwt.pem", 60, ACCESS_LIFETIME_S + LEEWAY_S + _SLACK_S)
SERVICES: Final = Ring(
    "service", "/keys/service/service.pem", 15, SERVICE_LIFETIME_S + LEEWAY_S + _SLACK_S
)


def show(*, service: bool = False, file: Path | None = None) -> None:
    """Print the keys with their roles. Raises StackError."""
    ring = SERVICES if service else PEOPLE
    if file is None and _in_docker():
        _run_in_docker(ring, "list", service=service)
        return
    _print(_path(ring, file), Console())


def rotate(
    *, service: bool = False, now: bool = False, all_keys: bool = False, file: Path | None = None
) -> None:
    """Let the next key sign. Raises StackError.

    With `now` the keys that signed so far are believed no longer, and neither are their tokens;
    with `all_keys` the one that waits is replaced, too.
    """
    ring = SERVICES if service else PEOPLE
    if file is None and _in_docker():
        flags = [flag for flag, is_given in (("--now", now), ("--all", all_keys)) if is_given]
        _run_in_docker(ring, "rotate", *flags, service=service)
        return
    path, console = _path(ring, file), Console()
    if now or all_keys:
        replace_leaked(path, with_next=all_keys)
    else:
        replace(path, ring, console.print)
    _print(path, console)


def replace(path: Path, ring: Ring, say: Callable[[str], None]) -> None:
    """Rotate; waits while the next key is too young for every verifier to know it.

    Each step leaves a whole ring behind, so that an interrupted rotation is simply done again.
    """
    with _alone_with(path):
        waiting = next_file(path)
        if not waiting.exists():
            _write(waiting, _new_key_like(path), like=path)
        _await_published(waiting, ring.published_s, say)
        _write(retired_file(path, time.time() + ring.believed_s), path.read_bytes(), like=path)
        waiting.replace(path)
        _write(waiting, _new_key_like(path), like=path)
        _remove_expired(path)


def replace_leaked(path: Path, *, with_next: bool) -> None:
    """Believe nothing any longer that was signed so far.

    The key that waits takes over, since verifiers know it; `with_next` if it leaked as well: then
    they refuse new tokens for up to 30 s, until they have fetched the new key.
    """
    with _alone_with(path):
        waiting = next_file(path)
        if with_next or not waiting.exists():
            _write(waiting, _new_key_like(path), like=path)
        waiting.replace(path)
        for retired in retired_files(path):
            retired.unlink()
        _write(waiting, _new_key_like(path), like=path)


def _await_published(waiting: Path, published_s: float, say: Callable[[str], None]) -> None:
    ready_at = waiting.stat().st_mtime + published_s
    if ready_at > time.time():
        say(f"the next key was just published; waiting {published_s:.0f} s until all know it")
    # A clock that was set back makes nobody wait for longer than that.
    ends_at = time.monotonic() + published_s
    while time.time() < ready_at and time.monotonic() < ends_at:
        time.sleep(_POLL_S)


def _remove_expired(path: Path) -> None:
    for retired, believed_until in retired_files(path).items():
        if believed_until < time.time():
            retired.unlink()


def _new_key_like(path: Path) -> bytes:
    """Return a new private key; a development key is followed by another."""
    is_for_development = path.read_bytes().startswith(DEVELOPMENT_MARK)
    return (DEVELOPMENT_MARK if is_for_development else b"") + new_signing_key()


def _write(path: Path, content: bytes, *, like: Path) -> None:
    """Put the whole file in place at once, for the same readers as `like`."""
    draft = path.with_suffix(".draft")
    model = like.stat()
    write_for_owner(draft, content)
    if os.geteuid() == 0:
        os.chown(draft, model.st_uid, model.st_gid)
    draft.chmod(model.st_mode & 0o777)
    draft.replace(path)


@contextmanager
def _alone_with(path: Path) -> Iterator[None]:
    """Keep a second rotation out, and say plainly what the folder does not allow."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            SigningKey.from_file(path)
            yield
        finally:
            os.close(folder)
    except BlockingIOError:
        raise StackError("another rotation is at work", "wait until it has finished") from None
    except ValueError as error:
        raise StackError(str(error), "make up") from error
    except OSError as error:
        fix = "run this where the folder may be written to, as the owner of its files"
        raise StackError(f"{error.filename or path}: {error.strerror}", fix) from error


def _path(ring: Ring, file: Path | None) -> Path:
    return file or key_file(Layout.local().keys, ring.name)


def _print(path: Path, console: Console) -> None:
    for role, file, until in _roles(path):
        try:
            key_id = SigningKey.from_file(file).key_id
        except ValueError as error:
            raise StackError(str(error), "make up") from error
        line = f"{role:<13} {key_id}  {file.name}{until}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _roles(path: Path) -> Iterator[tuple[str, Path, str]]:
    yield "signs", path, ""
    if next_file(path).exists():
        yield "signs next", next_file(path), ""
    for retired, until in retired_files(path).items():
        moment = datetime.fromtimestamp(until, UTC)
        state = "expired" if until < time.time() else "believed until"
        yield "signed before", retired, f" ({state} {moment:%Y-%m-%d %H:%M:%S} UTC)"


def _in_docker() -> bool:
    remembered = memory.recall_kind(Layout.local().home)
    return choice.choose(os.environ, remembered, docker.engine_answers) is memory.Kind.DOCKER


def _run_in_docker(ring: Ring, action: str, *flags: str, service: bool) -> None:
    stack = docker.DockerStack(Layout.local(), Progress(Console()))
    kind = ("--service",) if service else ()
    stack.run_job("keys", action, "--file", ring.in_docker, *kind, *flags)
