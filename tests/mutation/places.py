"""Where in a module its rules stand: in function bodies, module-level tables and constants.

Types, columns of tables, docstrings, metrics, and how a dataclass is made are no rules, nor is the
guard `strict=` of a zip.
"""

import ast
from collections.abc import Iterator

Span = tuple[tuple[int, int], tuple[int, int]]


def without_rules(source: str) -> list[Span]:
    """Return the spans, as (line, column) from 1 and 0, that faults are not put into."""
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in _ruleless(ast.parse(source))
    ]


def is_within(position: tuple[int, int], spans: list[Span]) -> bool:
    return any(start <= position < end for start, end in spans)


def _ruleless(tree: ast.Module) -> Iterator[ast.stmt | ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef():
                yield from (
                    each for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign)
                )
                yield from (*node.bases, *node.decorator_list)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _types_of(node)
                yield from node.decorator_list
            case ast.AnnAssign():
                yield node.annotation
            case ast.Expr(value=ast.Constant()):
                yield node
            case ast.Call(func=ast.Attribute(attr="inc")):
                yield node
            case ast.keyword(arg="strict"):
                yield node.value


def _types_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    arguments = function.args
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if each.annotation is not None:
            yield each.annotation
    if function.returns is not None:
        yield function.returns
