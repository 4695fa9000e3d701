"""Small faults go where the rules stand, and nowhere else."""

from pathlib import Path

import pytest

from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.targets import TARGETS, Target

ROOT = Path(__file__).resolve().parents[3]


def mutants(source: str, tmp_path: Path) -> list[Mutant]:
    (tmp_path / "rules.py").write_text(source, encoding="utf-8")
    return list(mutants_of(Target("rules.py", ()), tmp_path))


def sources(source: str, tmp_path: Path) -> list[str]:
    return [mutant.source for mutant in mutants(source, tmp_path)]


def test_each_member_of_a_table_is_left_out_once(tmp_path: Path) -> None:
    assert sources("MOVES = {a: {b, c}, d: e}\n", tmp_path) == [
        "MOVES = {d: e,}\n",
        "MOVES = {a: {b, c},}\n",
        "MOVES = {a: {c,}, d: e}\n",
        "MOVES = {a: {b,}, d: e}\n",
    ]


def test_the_only_member_is_left_out_too(tmp_path: Path) -> None:
    assert sources("FINAL = frozenset([done])\n", tmp_path) == ["FINAL = frozenset([])\n"]
    assert sources("FINAL = {done}\n", tmp_path) == ["FINAL = {}\n"]
    assert sources("X = {a: b}\n", tmp_path) == ["X = {}\n"]


def test_a_comparison_is_negated_and_moved_by_one(tmp_path: Path) -> None:
    made = sources("def fits(a, b):\n    return a < b\n", tmp_path)

    assert made == [
        "def fits(a, b):\n    return a <= b\n",
        "def fits(a, b):\n    return a >= b\n",
    ]


def test_a_refusal_is_left_out(tmp_path: Path) -> None:
    made = sources("def check(a):\n    raise Refused(a)\n", tmp_path)

    assert made == ["def check(a):\n    pass\n"]


def test_types_columns_and_docstrings_are_left_alone(tmp_path: Path) -> None:
    source = '''"""Says 1."""
class Order(Base):
    """Says 2."""
    limit: int = 3
    columns = (4, 5)

    def size(self, of: "Annotated[int, 6]") -> "Annotated[int, 7]":
        """Says 8."""
'''
    assert sources(source, tmp_path) == []


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.module)
def test_every_target_and_its_tests_exist_and_hold_rules(target: Target) -> None:
    assert all((ROOT / path).exists() for path in target.tests)
    assert next(mutants_of(target, ROOT)).target is target
