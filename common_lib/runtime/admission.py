"""Each service admits for itself, whoever stands before it."""

from typing import Final

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common_lib.admission import BOUNDS_BEHIND, Kind, Limiter, Overloaded, kind_of
from common_lib.problems import PROBLEM_JSON, problem_of

# What keeps watch has to get through when nothing else does.
_ADMITTED: Final = ("/api/", "/internal/")


class Admission:
    """Pure ASGI: a place for each request for as long as its answer is worked on.

    Health, metrics and documents need none. A place is given back when the answer begins: what
    follows goes at the client's pace.
    """

    def __init__(self, app: ASGIApp, *, problem_base_url: str) -> None:
        self.app = app
        self._base_url = problem_base_url
        self._limiters = {
            kind: Limiter(kind.value, bounds) for kind, bounds in BOUNDS_BEHIND.items()
        }

    def limiter(self, kind: Kind) -> Limiter:
        return self._limiters[kind]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_ADMITTED):
            await self.app(scope, receive, send)
            return
        limiter = self._limiters[kind_of(scope["method"], scope["path"])]
        try:
            entered_at = limiter.enter()
        except Overloaded as error:
            await _refuse(error, send, self._base_url)
            return
        has_left = False

        async def send_and_leave(message: Message) -> None:
            nonlocal has_left
            if not has_left:
                has_left = True
                limiter.leave(entered_at)
            await send(message)

        try:
            await self.app(scope, receive, send_and_leave)
        finally:
            if not has_left:
                limiter.abandon()


async def _refuse(error: Overloaded, send: Send, base_url: str) -> None:
    body = orjson.dumps(problem_of(error, base_url=base_url))
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % (error.retry_after_s or 1)),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
