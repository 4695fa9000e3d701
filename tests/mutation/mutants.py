"""Mutants: a module's source with one small fault."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator

from tests.mutation import places
from tests.mutation.operators import operators
from tests.mutation.targets import Target


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: where it is, of which kind, and the module's source with it."""

    target: Target
    operator: str
    line: int
    source: str

    def difference(self, original: str) -> str:
        lines = difflib.unified_diff(
            original.split("\n"), self.source.split("\n"), n=0, lineterm=""
        )
        return "\n".join(line for line in lines if line[:3] not in ("---", "+++", "@@ "))


def mutants_of(target: Target, root: Path) -> Iterator[Mutant]:
    """Yield the module's mutants, each source once."""
    original = (root / target.module).read_text(encoding="utf-8")
    ruleless = places.without_rules(original)
    seen = {original}
    for name, operator in operators():
        for occurrence, position in enumerate(_positions(original, operator)):
            if places.is_within(position, ruleless):
                continue
            source = mutate_code(original, operator, occurrence)
            if source is not None and source not in seen and _compiles(source):
                seen.add(source)
                yield Mutant(target, name, position[0], source)


def _positions(source: str, operator: Operator) -> list[tuple[int, int]]:
    return [
        start
        for node in ast_nodes(get_ast(source))
        for start, _ in operator.mutation_positions(node)
    ]


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True
