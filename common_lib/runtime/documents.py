"""What the OpenAPI documents say beside what FastAPI knows: refusals, and who may ask.

FastAPI tells of the answer that succeeds and of its own 422, which here looks otherwise. Every
other answer comes from what all routes share: the gateway's door, tokens, bodies, conditions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from common_lib.auth import current_user, maybe_user
from common_lib.problems import PROBLEM_JSON
from common_lib.runtime.crashes import AnsweredCrashes

Operation = dict[str, Any]

_TEXT: Final = {"type": "string"}
_SECONDS: Final = {"type": "string", "pattern": "^[0-9]{1,5}$"}
_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "Why it was refused (RFC 9457). `code` is stable, `type` explains it.",
    "required": ["type", "title", "status", "detail", "code", "requestId"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9_]{1,63}$"},
        "requestId": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {"pointer": _TEXT, "code": _TEXT, "detail": _TEXT},
            },
        },
    },
}
_SENTENCES: Final[Mapping[str, str]] = {
    "400": "The request cannot be read.",
    "401": "Without a valid access token this is not answered.",
    "403": "The caller is known and may not do this.",
    "404": "There is no such thing, or it is not the caller's.",
    "408": "The body did not arrive in time.",
    "409": "It does not fit the present state.",
    "412": "It was changed since: If-Match names another version.",
    "413": "The body is larger than this path takes.",
    "415": "The body is of a type that this path does not take.",
    "422": "Something in the request is missing or wrong, a query parameter that is not listed or"
    " is given twice among it; `errors` says what.",
    "429": "Too many requests; Retry-After says when the next is answered.",
    "431": "The headers are larger than 16 KB.",
    "503": "A part that is needed is away; Retry-After says when to ask again.",
}
_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "401": {"WWW-Authenticate": {"required": True, "schema": _TEXT}},
    "429": {"Retry-After": {"required": True, "schema": _SECONDS}},
    "503": {"Retry-After": {"schema": _SECONDS}},
}
_ALWAYS: Final = ("400", "401", "429", "431", "503")
_WITH_A_BODY: Final = ("408", "413", "415", "422")
_BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The access token of POST /api/auth/login, valid for 30 minutes.",
}
_OF_FASTAPI: Final = ("HTTPValidationError", "ValidationError")


class DescribedApp(FastAPI):
    """An app whose OpenAPI document tells of every answer, and whose crashes end no connection."""

    def __init__(self, *, routers: Sequence[APIRouter], **given: Any) -> None:
        super().__init__(**given)
        for router in routers:
            self.include_router(router)
        self._security = {
            (route.path_format, method.lower()): _security(route)
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    def build_middleware_stack(self) -> ASGIApp:
        return AnsweredCrashes(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi(), self._security)
        return self.openapi_schema


def _security(route: APIRoute) -> list[dict[str, list[str]]]:
    """Return what the route asks for, as OpenAPI writes it; an empty entry is "nothing"."""
    calls = set(_calls(route.dependant))
    if maybe_user in calls:
        return [{}, {"bearer": []}]
    return [{"bearer": []}] if current_user in calls else []


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for each in dependant.dependencies:
        if each.call is not None:
            yield each.call
        yield from _calls(each)


def _completed(
    document: dict[str, Any], security: Mapping[tuple[str, str], list[dict[str, list[str]]]]
) -> dict[str, Any]:
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            _complete(path, method, operation, security.get((path, method), []))
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _OF_FASTAPI:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    components["responses"] = {f"Problem{status}": _response(status) for status in _SENTENCES}
    components["securitySchemes"] = {"bearer": _BEARER}
    return document


def _response(status: str) -> dict[str, Any]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    response = {"description": _SENTENCES[status], "content": content}
    if status in _HEADERS:
        response["headers"] = dict(_HEADERS[status])
    return response


def _complete(
    path: str, method: str, operation: Operation, security: list[dict[str, list[str]]]
) -> None:
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        if parameter["in"] == "path" and parameter["name"].endswith("_id"):
            parameter["schema"]["format"] = "uuid"
    if security:
        operation["security"] = security
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for status in _refusals(path, method, operation):
        responses.setdefault(status, {"$ref": f"#/components/responses/Problem{status}"})


def _refusals(path: str, method: str, operation: Operation) -> Iterator[str]:
    """Yield the statuses of the problems that such an operation answers."""
    names = {parameter["name"].lower() for parameter in operation.get("parameters", [])}
    yield from _ALWAYS
    if "requestBody" in operation:
        yield from _WITH_A_BODY
    yield "422"  # at least for a query parameter that is not known
    if "security" in operation or method != "get":
        yield "403"
    if "{" in path or method != "get" or any(name.endswith("id") for name in names):
        yield "404"
    if method != "get":
        yield "409"
    if "if-match" in names:
        yield "412"
