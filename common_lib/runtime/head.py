"""HEAD wherever GET is (RFC 9110, 9.3.2): the same answer without its body.

FastAPI's routes answer 405 to HEAD. Listing HEAD at each of them would put every read twice into
the OpenAPI document.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadLikeGet:
    """Pure ASGI: routes are asked for GET, and only the head of what they answer is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        await self.app(asked, receive, _without_body(send))
        if "route" in asked:  # what telemetry names the request by
            scope["route"] = asked["route"]


def _without_body(send: Send) -> Send:
    """Return a sender that ends the answer after its head."""
    is_over = False

    async def send_head(message: Message) -> None:
        nonlocal is_over
        if message["type"] == "http.response.body":
            if is_over:
                return
            is_over, message = True, {"type": "http.response.body", "body": b""}
        await send(message)

    return send_head
