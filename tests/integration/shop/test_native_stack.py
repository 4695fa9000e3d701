import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.native import NativeStack


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
