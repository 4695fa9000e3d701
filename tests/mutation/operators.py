"""The kinds of small faults: those of Cosmic Ray that mean something here, and two of our own.

A comparison is negated and moved by one, as PIT's "conditionals boundary" and "negate conditionals"
do (https://pitest.org/quickstart/mutators/). Left out are faults that any test meets, such as a
decorator or the value of a local name that is missing: they would flatter the score.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Keyword

# A node of parso's tree; its types do not say what children it has.
Node = Any
Position = tuple[tuple[int, int], tuple[int, int]]

_MEANT: Final = re.compile(
    r"ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_FloorDiv|Mul_Add|FloorDiv_Mul|Div_Mul|Mod_FloorDiv)"
    r"|ReplaceComparisonOperator_(Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt)"
    r"|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Is_IsNot|IsNot_Is)"
    r"|ReplaceUnaryOperator_Delete_\w+"
    r"|AddNot|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd"
    r"|ReplaceBreakWithContinue|ReplaceContinueWithBreak|ExceptionReplacer|NumberReplacer"
    r"|ZeroIterationForLoop"
)


def operators() -> Iterator[tuple[str, Operator]]:
    """Yield each kind of fault with its name."""
    provided = OperatorProvider()
    yield from ((name, provided[name]()) for name in provided if _MEANT.fullmatch(name))
    yield "RemoveMember", RemoveMember()
    yield "RemoveStatement", RemoveStatement()


class RemoveMember(Operator):  # type: ignore[misc]  # Cosmic Ray has no types
    """Takes one member out of a set, list, tuple or dictionary: an allowed move, a status."""

    def mutation_positions(self, node: Node) -> Iterator[Position]:
        for start, end in _members(node):
            yield start.start_pos, end.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        members = _members(node)
        if node.type == "atom":
            return _text(f"{node.children[0].value}{node.children[-1].value}", node)
        if len(members) == 1:
            return _text("", node)
        kept = [member for place, member in enumerate(members) if place != index]
        return _text(", ".join(_code(first, last) for first, last in kept) + ",", node)

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        return (
            Example("x = {a, b}", "x = {b,}"),
            Example("x = {a: b, c: d}", "x = {a: b,}", occurrence=1),
        )


class RemoveStatement(Operator):  # type: ignore[misc]  # Cosmic Ray has no types
    """Leaves out a statement in a function that raises, calls, or changes an attribute or entry."""

    _KINDS: Final = ("raise_stmt", "atom_expr")

    def mutation_positions(self, node: Node) -> Iterator[Position]:
        parent = node.parent
        is_statement = parent is not None and parent.type == "simple_stmt"
        if is_statement and _is_in_function(node) and self._has_effect(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Node, index: int) -> Keyword:
        assert index == 0
        return Keyword("pass", node.start_pos, prefix=node.get_first_leaf().prefix)

    def _has_effect(self, node: Node) -> bool:
        if node.type == "expr_stmt":
            return bool(node.children[0].type != "name")
        return node.type in self._KINDS or (node.type == "keyword" and node.value == "raise")

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        return (Example("raise X", "pass"),)


def _is_in_function(node: Node) -> bool:
    return node.search_ancestor("funcdef") is not None


def _members(node: Node) -> list[tuple[Node, Node]]:
    """Return the first and the last node of each member of a literal with two members or more."""
    if node.type == "atom":
        return _only_member(node)
    if node.type not in ("dictorsetmaker", "testlist_comp"):
        return []
    if any(child.type in ("comp_for", "sync_comp_for") for child in node.children):
        return []
    members: list[list[Node]] = [[]]
    for child in node.children:
        if child.type == "operator" and child.value == ",":
            members.append([])
        else:
            members[-1].append(child)
    return [(member[0], member[-1]) for member in members if member]


def _only_member(atom: Node) -> list[tuple[Node, Node]]:
    opening, *inside = (child.get_code().strip() for child in atom.children[:2])
    is_literal = opening in ("{", "[") and len(atom.children) == len("{x}") and any(inside)
    is_one = atom.children[1].type not in ("dictorsetmaker", "testlist_comp")
    return [(atom.children[1], atom.children[1])] if is_literal and is_one else []


def _code(first: Node, last: Node) -> str:
    nodes, node = [first], first
    while node is not last:
        node = node.get_next_sibling()
        nodes.append(node)
    return "".join(each.get_code() for each in nodes).strip()


def _text(code: str, node: Node) -> Keyword:
    return Keyword(code, node.start_pos, prefix=node.get_first_leaf().prefix)
