import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.native import NativeStack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeStack]:
    stack = NativeStack(Layout.for_tests(tmp_path_factory.mktemp("stack")))
    try:
        stack.start_parts()
        yield stack
    finally:
        stack.reset()


def test_the_parts_come_up_ready(stack: NativeStack) -> None:
    assert {name for name in stack.part_names() if stack.is_ready(name)} == set(stack.part_names())


def test_a_second_start_keeps_what_runs(stack: NativeStack) -> None:
    before = stack.running()
    stack.start_parts()
    assert stack.running() == before


def test_a_killed_part_is_started_again_and_the_others_are_kept(stack: NativeStack) -> None:
    before = stack.running()
    stack.kill("redis")
    stack.start_parts()
    after = stack.running()
    assert after.pop("redis") != before.pop("redis")
    assert after == before


def test_mysql_comes_back_after_kill_9_with_its_lock_files_left(stack: NativeStack) -> None:
    stack.kill("mysql-users")
    stack.start_part("mysql-users")
    assert stack.is_ready("mysql-users")


def test_a_process_that_dies_while_starting_is_told_with_its_log(stack: NativeStack) -> None:
    refusing = {"SHOP_PROFILE": "no-such-profile"}
    with pytest.raises(StackError, match="gateway ended while starting"):
        stack.start_process("gateway", refusing)
    assert stack.log("gateway").stat().st_size > 0


def test_other_settings_restart_a_part(stack: NativeStack) -> None:
    before = stack.running()["localstack"]
    moved = NativeStack(replace(stack.layout, ports=replace(stack.layout.ports, redis=_free())))
    moved.start_part("redis")
    assert moved.is_ready("redis")
    assert not stack.is_ready("redis")
    assert stack.running()["localstack"] == before
    stack.start_part("redis")


def test_a_paused_part_answers_nobody_until_it_is_resumed(stack: NativeStack) -> None:
    stack.pause("redis")
    assert not stack.is_ready("redis")
    stack.resume("redis")
    stack.wait_ready("redis")


def test_stop_leaves_no_process_and_reset_no_data(tmp_path: Path) -> None:
    stack = NativeStack(Layout.for_tests(tmp_path / "home"))
    stack.start_part("redis")
    redis = stack.running()["redis"]
    stack.stop()
    assert not redis.is_alive()
    assert stack.running() == {}
    stack.reset()
    assert not list((tmp_path / "home").iterdir())


def _free() -> int:
    return Layout.for_tests(Path()).ports.redis


def test_signals_reach_only_what_runs(stack: NativeStack) -> None:
    stack.processes.signal("gateway", signal.SIGTERM)
    assert stack.is_ready("redis")
