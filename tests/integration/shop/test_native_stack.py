import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shop import doctor
from shop.stack import localstack
from shop.stack.debian import OWN_SETTINGS
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.memory import Kind
from shop.stack.native import NativeStack
from shop.stack.processes import Identity
from tests import openfiles


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeStack]:
    parts = NativeStack(Layout.for_tests(tmp_path_factory.mktemp("stack")))
    try:
        parts.start_parts()
        yield parts
    finally:
        parts.reset()


def test_the_parts_come_up_ready(parts: NativeStack) -> None:
    assert {name for name in parts.part_names() if parts.is_ready(name)} == set(parts.part_names())


def test_what_the_parts_write_lies_in_the_folder_of_the_stack(parts: NativeStack) -> None:
    """Not in /tmp, /var/log or /var/lib, wherever what is compiled into them points."""
    written = {
        name: openfiles.opened(identity.pid, for_writing=True)
        for name, identity in parts.running().items()
    }

    assert written.keys() == set(parts.part_names())
    assert all(written.values())
    home = f"{parts.layout.home}/"
    assert {
        path for paths in written.values() for path in paths if not path.startswith(home)
    } == set()
    assert not [path for path in places_of_localstack(parts) if not path.startswith(home)]


def test_localstack_finds_its_index_and_makes_none(parts: NativeStack) -> None:
    """Made while it starts, the index costs seconds and 440 MB, for as long as it runs."""
    files = parts.layout.data / localstack.NAME
    catalogs = [path.relative_to(files) for path in files.rglob("service-catalog-*")]

    assert [str(path.parent) for path in catalogs] == [localstack.STATIC]
    assert parts.running()[localstack.NAME].memory_mib() < 450


def test_unpacked_servers_load_nothing_of_this_machine(parts: NativeStack) -> None:
    """Neither libraries nor locales, converters or settings, which may be of another version."""
    own = (f"{parts.layout.downloads}/", f"{parts.layout.home}/")
    unpacked = {name: one for name, one in parts.running().items() if is_unpacked(parts, one)}

    assert unpacked
    for name, identity in unpacked.items():
        strange = {path for path in openfiles.held(identity.pid) if not path.startswith(own)}
        assert (name, strange) == (name, set())
    # Redis writes its title over its environment.
    settings = environ(unpacked["mysql-users"])
    assert settings.items() >= OWN_SETTINGS.items()


def test_the_doctor_names_the_servers_that_run(parts: NativeStack) -> None:
    """By what each says of itself to whoever connects."""
    ports = parts.layout.ports
    mysql_greeting = exchange(ports.of("mysql-users"), b"")
    redis_info = exchange(ports.redis, b"INFO server\r\n")

    findings = doctor.examine(parts.layout, kind=Kind.NATIVE, docker_answers=False)

    facts = {finding.fact.partition(" ")[0]: finding.fact for finding in findings}
    server, redis_version = facts["MySQL"].split()[1], facts["Redis"].split()[1]
    assert server.encode() in mysql_greeting
    assert f"redis_version:{redis_version}\r\n".encode() in redis_info
    assert facts["MySQL"] == f"MySQL {server} is at hand"


def exchange(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        return connection.recv(65536)


def is_unpacked(parts: NativeStack, identity: Identity) -> bool:
    """Whether the process runs through the loader of an unpacked tree."""
    program = Path(f"/proc/{identity.pid}/exe").readlink()
    return program.name.startswith("ld-linux") and program.is_relative_to(parts.layout.downloads)


def environ(identity: Identity) -> dict[str, str]:
    entries = Path(f"/proc/{identity.pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def places_of_localstack(parts: NativeStack) -> set[str]:
    """Ask the LocalStack of this stack, with its settings, where it keeps things."""
    spec = localstack.spec(parts.layout)
    program = "from localstack import config; print(*vars(config.dirs).values(), sep='\\n')"
    answer = subprocess.run(
        (spec.argv[0], "-c", program), env=spec.env, capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


def test_a_second_start_keeps_what_runs(parts: NativeStack) -> None:
    before = parts.running()
    parts.start_parts()
    assert parts.running() == before


def test_a_killed_part_is_started_again_and_the_others_are_kept(parts: NativeStack) -> None:
    before = parts.running()
    parts.kill("redis")
    parts.start_parts()
    after = parts.running()
    assert after.pop("redis") != before.pop("redis")
    assert after == before


def test_mysql_comes_back_after_kill_9_with_its_lock_files_left(parts: NativeStack) -> None:
    parts.kill("mysql-users")
    parts.start_part("mysql-users")
    assert parts.is_ready("mysql-users")


def test_a_process_that_dies_while_starting_is_told_with_its_log(parts: NativeStack) -> None:
    refusing = {"SHOP_PROFILE": "no-such-profile"}
    with pytest.raises(StackError, match="gateway ended while starting"):
        parts.start_process("gateway", refusing)
    assert parts.log("gateway").stat().st_size > 0


def test_other_settings_restart_a_part(parts: NativeStack) -> None:
    before = parts.running()["localstack"]
    moved = NativeStack(replace(parts.layout, ports=replace(parts.layout.ports, redis=_free())))
    moved.start_part("redis")
    assert moved.is_ready("redis")
    assert not parts.is_ready("redis")
    assert parts.running()["localstack"] == before
    parts.start_part("redis")


def test_a_paused_part_answers_nobody_until_it_is_resumed(parts: NativeStack) -> None:
    parts.pause("redis")
    assert not parts.is_ready("redis")
    parts.resume("redis")
    parts.wait_ready("redis")


def test_stop_leaves_no_process_and_reset_no_data(tmp_path: Path) -> None:
    parts = NativeStack(Layout.for_tests(tmp_path / "home"))
    parts.start_part("redis")
    redis = parts.running()["redis"]
    parts.stop()
    assert not redis.is_alive()
    assert parts.running() == {}
    parts.reset()
    assert not list((tmp_path / "home").iterdir())


def _free() -> int:
    return Layout.for_tests(Path()).ports.redis


def test_signals_reach_only_what_runs(parts: NativeStack) -> None:
    parts.processes.signal("gateway", signal.SIGTERM)
    assert parts.is_ready("redis")
