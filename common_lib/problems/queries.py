"""Query parameters read strictly: unknown ones and repeated ones are refused, on every route.

FastAPI by default drops what a route does not know and takes the last of what comes twice, so that
a filter with a slip in its name answers everything.
"""

import re
from collections.abc import Iterator
from typing import Final

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from starlette.requests import Request

from common_lib.errors import FieldError, Rejected

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class UnfitQuery(Rejected):
    code = "validation_failed"
    title = "A query parameter is unknown or given twice"


def names_of(dependant: Dependant) -> frozenset[str]:
    """Return the names of all query parameters that a route or its dependencies take."""
    return frozenset(_names(dependant))


def _names(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, field in kind.model_fields.items():
                yield field.alias or name
        else:
            yield parameter.alias
    for each in dependant.dependencies:
        yield from _names(each)


def refuse_unfit_query(
    request: Request, known: frozenset[str] = frozenset(), others: str | None = None
) -> None:
    """Raise UnfitQuery naming each parameter that is not known, or that is given twice.

    Names that begin with `others` are left to the endpoint.
    """
    if not request.scope["query_string"]:
        return
    counts: dict[str, int] = {}
    for name, _ in request.query_params.multi_items():
        if others is None or not name.startswith(others):
            counts[name] = counts.get(name, 0) + 1
    errors = [*_faults(counts, known)]
    if errors:
        raise UnfitQuery(errors=errors)


def _faults(counts: dict[str, int], known: frozenset[str]) -> Iterator[FieldError]:
    for name, count in counts.items():
        # What is named in an answer is harmless: input is never echoed.
        pointer = f"/query/{name}" if _PLAIN_NAME.fullmatch(name) else "/query/?"
        if name not in known:
            yield FieldError(pointer, "invalid_parameter", _unknown(known))
        elif count > 1:
            yield FieldError(pointer, "repeated_parameter", "Give this parameter once")


def _unknown(known: frozenset[str]) -> str:
    if not known:
        return "There is no such parameter; this takes none"
    pages = "; pages are reached by cursor" if "cursor" in known else ""
    return f"There is no such parameter; this takes {', '.join(sorted(known))}{pages}"
