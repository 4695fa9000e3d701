"""The entrance of the app: requests that leave the gateway, and those it answers itself."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway.accounts import METHODS
from gateway.exchange import Exchange
from gateway.parts import Gateway
from gateway.routes import match


class Proxy:
    """The app as the server sees it: what is routed is answered here, before FastAPI's own layers.

    Those cost more than the hop. `is_local` says which raw paths FastAPI gets; no other exists.
    """

    def __init__(self, app: FastAPI, is_local: Callable[[bytes], bool]) -> None:
        self.title = app.title
        self.app = app
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        raw_path = scope["raw_path"]
        route = match(raw_path)
        if route is None and scope["method"] in METHODS and self._is_local(raw_path):
            await self.app(scope, receive, send)
            return
        gateway: Gateway = self.app.state.gateway
        gateway.in_flight += 1
        try:
            await Exchange(gateway, route, scope, receive, send).run()
        finally:
            gateway.in_flight -= 1
