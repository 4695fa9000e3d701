from pathlib import Path

import pytest

from shop.stack import memory
from shop.stack.choice import choose
from shop.stack.errors import StackError
from shop.stack.memory import Kind
from shop.stack.ports import Ports


def answers() -> bool:
    return True


def does_not_answer() -> bool:
    return False


def must_not_be_asked() -> bool:
    raise AssertionError("Docker was asked")


def test_docker_is_used_where_an_engine_answers() -> None:
    assert choose({}, None, answers) is Kind.DOCKER


def test_without_an_engine_the_stack_is_native() -> None:
    assert choose({}, None, does_not_answer) is Kind.NATIVE


@pytest.mark.parametrize("kind", list(Kind))
def test_stack_forces_a_kind_whatever_answers(kind: Kind) -> None:
    assert choose({"STACK": kind.value}, None, must_not_be_asked) is kind


def test_stack_wins_over_what_is_up() -> None:
    assert choose({"STACK": "NATIVE"}, Kind.DOCKER, must_not_be_asked) is Kind.NATIVE


def test_later_commands_speak_to_the_stack_that_is_up() -> None:
    assert choose({}, Kind.NATIVE, must_not_be_asked) is Kind.NATIVE


def test_an_unknown_kind_is_refused_naming_the_variable() -> None:
    with pytest.raises(StackError, match="STACK must be native or docker, but is 'podman'"):
        choose({"STACK": "podman"}, None, answers)


def test_what_was_brought_up_is_remembered_until_it_is_down(tmp_path: Path) -> None:
    memory.remember(tmp_path, Kind.NATIVE, Ports(gateway=9000))
    assert memory.recall_kind(tmp_path) is Kind.NATIVE
    assert memory.recall_ports(tmp_path) == Ports(gateway=9000)
    memory.forget(tmp_path)
    assert memory.recall_kind(tmp_path) is None
    assert memory.recall_ports(tmp_path) is None


def test_a_damaged_memory_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / memory.FILE).write_text('{"kind": 7, "ports": {"gate": 1}}')
    assert memory.recall_kind(tmp_path) is None
    assert memory.recall_ports(tmp_path) is None
