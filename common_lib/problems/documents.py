"""Errors as RFC 9457 problem documents.

This module holds the only table from errors to HTTP statuses. FastAPI by default echoes the input
in its 422; no answer made here does.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPMethod, HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from common_lib.errors import (
    Conflict,
    DomainError,
    FieldError,
    Forbidden,
    NotFound,
    Rejected,
    Unavailable,
)
from common_lib.problems.fixes import FIXES
from common_lib.problems.sentences import sentence_of, summary_of
from common_lib.telemetry import current_request_id

PROBLEM_JSON: Final = "application/problem+json"

_STATUS_OF_FAMILY: Final[Sequence[tuple[type[DomainError], int]]] = (
    (NotFound, 404),
    (Conflict, 409),
    (Rejected, 422),
    (Forbidden, 403),
    (Unavailable, 503),
)
# Where HTTP has a status of its own for what a family says in general.
_STATUS_OF_CODE: Final[Mapping[str, int]] = {
    "malformed_request": 400,
    "malformed_json": 400,
    "invalid_utf8": 400,
    "idempotency_key_required": 400,
    "idempotency_key_conflict": 400,
    "invalid_signature": 400,
    "auth_required": 401,
    "invalid_token": 401,
    "token_expired": 401,
    "wrong_token_type": 401,
    "revoked": 401,
    "invalid_credentials": 401,
    "invalid_mfa_code": 401,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "precondition_failed": 412,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "too_many_attempts": 429,
    "headers_too_large": 431,
    "internal_error": 500,
}
_CODE_OF_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("malformed_request", "The request cannot be read"),
    404: ("not_found", "There is no such thing, or it is not yours"),
    405: ("method_not_allowed", "This path does not answer to that method"),
    413: ("body_too_large", "The body is larger than this path takes"),
    415: ("unsupported_media_type", "The body must be application/json"),
}
# A member's name in an answer is ours, or at least harmless: input is never echoed.
_PLAIN_NAME: Final = re.compile(r"^[A-Za-z0-9_.-]{1,64}$")


def status_of(error: DomainError) -> int:
    """Return the HTTP status of an error: by its code, else by its family."""
    status = _STATUS_OF_CODE.get(error.code)
    if status is not None:
        return status
    return next(status for family, status in _STATUS_OF_FAMILY if isinstance(error, family))


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    base_url: str = "/problems",
    errors: Sequence[FieldError] = (),
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a problem document's members (RFC 9457, section 3.1).

    A detail that only repeats the title gives way to what can be done about the code, or else to
    the first of the errors.
    """
    members: dict[str, Any] = {
        "type": f"{base_url}/{code}",
        "title": title,
        "status": status,
        "detail": _more_than(title, code, errors) if detail == title else detail,
        "code": code,
        "requestId": current_request_id(),
    }
    if errors:
        members["errors"] = [
            {"pointer": error.pointer, "code": error.code, "detail": error.detail}
            for error in errors
        ]
    return {**(details or {}), **members}


def _more_than(title: str, code: str, errors: Sequence[FieldError]) -> str:
    return FIXES.get(code) or (summary_of(errors) if errors else title)


def problem_of(error: DomainError, *, base_url: str = "/problems") -> dict[str, Any]:
    """Return the problem document of a domain error."""
    return problem(
        status_of(error),
        error.code,
        error.title,
        error.detail,
        base_url=base_url,
        errors=error.errors,
        details={to_camel(name): value for name, value in error.details.items()},
    )


def problem_response(
    document: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(document, default=str),
        status_code=document["status"],
        media_type=PROBLEM_JSON,
        headers=dict(headers or {}),
    )


def response_of(error: DomainError, *, base_url: str = "/problems") -> Response:
    """Return the answer for a domain error, with Retry-After or WWW-Authenticate where due."""
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    document = problem_of(error, base_url=base_url)
    if document["status"] == 401:  # noqa: PLR2004
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(document, headers)


def install(app: FastAPI, *, base_url: str = "/problems") -> None:
    """Make every error of the app a problem document."""

    def on_domain_error(request: Request, error: Exception) -> Response:
        del request
        if not isinstance(error, DomainError):
            raise error
        return response_of(error, base_url=base_url)

    def on_invalid(request: Request, error: Exception) -> Response:
        del request
        found = error.errors() if isinstance(error, RequestValidationError) else ()
        return problem_response(_validation_problem(found, base_url))

    def on_http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        code, title = _CODE_OF_STATUS.get(error.status_code, ("malformed_request", "Refused"))
        document = problem(error.status_code, code, title, title, base_url=base_url)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return problem_response(document, {"Allow": ", ".join(_methods_of_path(request))})
        return problem_response(document, error.headers)

    def on_crash(request: Request, error: Exception) -> Response:
        del request, error  # logged by who is outside of all (AnsweredCrashes)
        title = "Something went wrong on our side"
        return problem_response(problem(500, "internal_error", title, title, base_url=base_url))

    app.add_exception_handler(DomainError, on_domain_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_crash)


def _methods_of_path(request: Request) -> list[str]:
    """Return what the path answers to; Starlette names only what its first route there does."""
    routes = request.app.routes
    scopes = ({**request.scope, "method": each.value} for each in HTTPMethod)
    known = {s["method"] for s in scopes if any(r.matches(s)[0] is Match.FULL for r in routes)}
    return sorted(known | {"HEAD"} if "GET" in known else known)


def _validation_problem(found: Sequence[Mapping[str, Any]], base_url: str) -> dict[str, Any]:
    # A parameter that an endpoint and its dependencies read is found wrong by each of them.
    errors = [*dict.fromkeys(map(_field_error, found))]
    return problem(
        422,
        "validation_failed",
        "Some members are missing or wrong",
        summary_of(errors),
        base_url=base_url,
        errors=errors,
    )


def _field_error(entry: Mapping[str, Any]) -> FieldError:
    return FieldError(_pointer(entry["loc"]), _field_code(entry["type"]), sentence_of(entry))


def _pointer(location: Sequence[int | str]) -> str:
    parts = location[1:] if location and location[0] == "body" else location
    return "".join(f"/{part}" if _PLAIN_NAME.match(str(part)) else "/?" for part in parts)


def _field_code(kind: str) -> str:
    return kind if _PLAIN_NAME.match(kind) else "invalid"
