"""JSON bodies read strictly: within limits of size and time, and only what the standard allows.

FastAPI by default answers 500 to NaN, huge floats and lone surrogates.
"""

import asyncio
import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final, NoReturn

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from common_lib.errors import Rejected
from common_lib.problems.queries import names_of, refuse_unfit_query

# No body of ours has more than a handful; MySQL's JSON columns take 100.
MAX_DEPTH: Final = 32
# Of colons the only one: so escaped, they are not among those of the body.
_ESCAPED_COLON: Final = b"\\u003"


class MalformedJson(Rejected):
    code = "malformed_json"
    title = "The body is not JSON"


class InvalidUtf8(Rejected):
    code = "invalid_utf8"
    title = "The body is not UTF-8"


class UnacceptableJson(Rejected):
    code = "validation_failed"
    title = "The body holds a value that cannot be taken"


class UnsupportedMediaType(Rejected):
    code = "unsupported_media_type"
    title = "The body must be application/json"


class BodyTooLarge(Rejected):
    code = "body_too_large"
    title = "The body is larger than this path takes"


class RequestTimedOut(Rejected):
    code = "request_timeout"
    title = "The body did not arrive in time"


class StrictRoute(APIRoute):
    """A route whose query holds what it knows, once, and whose body is read within limits.

    Query parameters that begin with `other_parameters` are the endpoint's own to look at.
    """

    other_parameters: ClassVar[str | None] = None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known, others = names_of(self.dependant), self.other_parameters
        has_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            refuse_unfit_query(request, known, others)
            return await handle(await _with_parsed_body(request) if has_body else request)

        return strict


async def read_json(request: Request) -> Any:
    """Read and parse the body as a strict route does, for routes outside FastAPI; None if empty."""
    return getattr(await _with_parsed_body(request), "_json", None)


async def _with_parsed_body(request: Request) -> Request:
    settings = request.app.state.settings
    body = await read_body(
        request, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s
    )
    if body:
        _require_json(request)
        request._json = parse_json(body)  # noqa: SLF001 - where Starlette keeps a parsed body
    return request


async def read_body(
    request: Request, *, max_bytes: int, timeout_s: float, bytes_per_s: float = math.inf
) -> bytes:
    """Read the whole body; every `bytes_per_s` that came buy a second more.

    Raises BodyTooLarge or RequestTimedOut.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise BodyTooLarge
    try:
        async with asyncio.timeout(timeout_s) as limit:
            body = await _read_at_most(request, max_bytes, limit, bytes_per_s)
    except TimeoutError:
        raise RequestTimedOut from None
    except ClientDisconnect:
        raise MalformedJson("the client went away in the middle of the body") from None
    request._body = body  # noqa: SLF001 - where Starlette keeps a body that was read
    return body


async def _read_at_most(
    request: Request, max_bytes: int, limit: asyncio.Timeout, bytes_per_s: float
) -> bytes:
    chunks = bytearray()
    latest = limit.when() or math.inf
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > max_bytes:
            raise BodyTooLarge
        if bytes_per_s < math.inf:
            limit.reschedule(latest + len(chunks) / bytes_per_s)
    return bytes(chunks)


def _require_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType


def parse_json(body: bytes) -> Any:
    """Parse JSON strictly: UTF-8, finite numbers, no NUL and no lone surrogate in any text.

    And no member twice (RFC 7493, 2.3: two readers may see two requests), no more than
    MAX_DEPTH levels. Raises InvalidUtf8, MalformedJson or UnacceptableJson.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        _explain_bad_json(body)
    if b"\\u0000" in body and _holds_nul(value):
        raise UnacceptableJson("a text holds a NUL character")
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        _refuse_depth(value)
    # Written anew it holds a colon for each member that was kept, and those of its texts: fewer
    # than the body, where of two members of one name the last was kept. Both count in C.
    if orjson.dumps(value).count(b":") != body.count(b":") or _ESCAPED_COLON in body:
        _refuse_repeated_names(body)
    return value


def _refuse_depth(value: Any) -> None:
    """Raise MalformedJson for a document of more than MAX_DEPTH levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        groups = [each.values() if isinstance(each, dict) else each for each in level]
        level = [part for group in groups for part in group if isinstance(part, (dict, list))]
        if not level:
            return
    raise MalformedJson(f"the body is nested deeper than {MAX_DEPTH} levels")


def _refuse_repeated_names(body: bytes) -> None:
    """Look at each object's names, at the cost of a second reading."""
    json.loads(body, object_pairs_hook=_refuse_repeated)


def _refuse_repeated(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) != len(members):
        raise MalformedJson("a member is named twice")


def _explain_bad_json(body: bytes) -> NoReturn:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidUtf8 from None
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedJson from None
    # Python's reader takes NaN, endless numbers and lone surrogates; the standard does not.
    raise UnacceptableJson("a number is not finite or a text is not valid Unicode")


def _holds_nul(value: Any) -> bool:
    """Look into every text of a parsed document; without recursion, for it may be deep."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str) and "\x00" in part:
            return True
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
    return False
