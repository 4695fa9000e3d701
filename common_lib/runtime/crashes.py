"""What an error that nobody caught costs: one answer, never the connection.

Starlette answers 500 and raises the error on; uvicorn then closes the connection, after an answer
that did not say so. Whoever keeps connections sends the next request, a stranger's, into that.
"""

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger(__name__)


class AnsweredCrashes:
    """Pure ASGI, outside of all layers: an error after a whole answer is logged, no more.

    That is one that was answered by 500, or one of a task behind the answer. Where the answer is
    not whole, the error goes on to the server, which breaks the connection off.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_over = False

        async def watched(message: Message) -> None:
            nonlocal is_over
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                is_over = True

        try:
            await self.app(scope, receive, watched)
        except Exception:
            if not is_over:
                raise
            log.exception("http.unhandled")
