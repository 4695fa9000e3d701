"""The entrance of the app: requests that leave the gateway, and those it answers itself."""

import time
from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway.accounts import METHODS, account
from gateway.exchange import Exchange
from gateway.headers import new_request_id
from gateway.parts import Gateway
from gateway.routes import PAGES, match
from gateway.storefront import Answer, Asked, Storefront


class Proxy:
    """The app as the server sees it: what is routed is answered here, before FastAPI's own layers.

    Those cost more than the hop. `is_local` says which raw paths FastAPI gets; what neither of the
    two has, the storefront may.
    """

    def __init__(
        self, app: FastAPI, is_local: Callable[[bytes], bool], storefront: Storefront
    ) -> None:
        self.title = app.title
        self.app = app
        self._is_local = is_local
        self._storefront = storefront

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        raw_path = scope["raw_path"]
        route = match(raw_path)
        if route is None and scope["method"] in METHODS and self._is_local(raw_path):
            await self.app(scope, receive, send)
            return
        if route is None:
            page = self._storefront.answer(_asked(scope))
            if page is not None:
                await _show(page, scope["method"], send)
                return
            if self._storefront.has(raw_path):
                route = PAGES
        gateway: Gateway = self.app.state.gateway
        gateway.in_flight += 1
        try:
            await Exchange(gateway, route, scope, receive, send).run()
        finally:
            gateway.in_flight -= 1


def _asked(scope: Scope) -> Asked:
    return Asked.by(scope["method"], scope["raw_path"], scope["headers"])


async def _show(page: Answer, method: str, send: Send) -> None:
    started, request_id = time.perf_counter(), new_request_id()
    await page.send(send, request_id)
    elapsed_s = time.perf_counter() - started
    account(method, PAGES, page.status, elapsed_s, request_id, is_sampled=False)
