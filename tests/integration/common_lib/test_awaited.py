"""A caller that ends its connection is known to be gone while its request is worked on."""

import asyncio
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from common_lib.awaited import current_wait
from common_lib.runtime import DeadlineMiddleware
from common_lib.runtime.draining import DrainingProtocol, Server
from tests.waiting import eventually


async def test_a_caller_that_hangs_up_is_gone_and_its_neighbour_is_not() -> None:
    waits: dict[str, Any] = {}
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        waits[scope["path"]] = current_wait()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(
        DeadlineMiddleware(app), port=0, http=DrainingProtocol, lifespan="off", log_config=None
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started, what="the server listens")
    port = server.servers[0].sockets[0].getsockname()[1]
    leaving, staying = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for path, (_, writer) in (("/leaving", leaving), ("/staying", staying)):
        writer.write(b"POST %s HTTP/1.1\r\nHost: s\r\n\r\n" % path.encode())
    await eventually(lambda: len(waits) == 2, what="both requests")
    assert not waits["/leaving"].is_over()

    leaving[1].close()
    await eventually(waits["/leaving"].is_over, what="the caller is gone")

    assert not waits["/staying"].is_over()
    go_on.set()
    assert (await staying[0].readline()).split()[1] == b"204"
    staying[1].close()
    server.should_exit = True
    await serving
