"""Starting and stopping a process: what SIGTERM ends, and in which order."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.waiting import eventually

PROGRAM = """
import asyncio, os, sys
from contextlib import asynccontextmanager
from starlette.responses import Response
from common_lib.runtime import HotRoute, background, create_app, serve
from common_lib.settings import DatabaseSettings, ServiceSettings

async def slow(request):
    print("request begins", flush=True)
    await asyncio.sleep(1)
    print("request ends", flush=True)
    return Response(b"done")

async def component(stop):
    await stop.wait()
    print("component stops", flush=True)

@asynccontextmanager
async def lifespan(app):
    if "fail" in sys.argv:
        raise RuntimeError("no database")
    async with background(part=component):
        yield
    print("pools close", flush=True)

settings = (DatabaseSettings if os.environ.get("SHOP_DATABASE_URL") else ServiceSettings)()
serve(create_app(settings, "test", routes=[HotRoute("/slow", slow)], lifespan=lifespan), settings)
"""


async def start(port: int, *arguments: str) -> asyncio.subprocess.Process:
    root = Path(__file__).parents[3]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, *arguments),
        cwd=root,
        env={**os.environ, "SHOP_PORT": str(port), "PYTHONPATH": str(root)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def answers(client: httpx2.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).status_code == 200
    except httpx2.TransportError:
        return False


async def test_sigterm_ends_requests_then_components_then_pools(unused_tcp_port: int) -> None:
    process = await start(unused_tcp_port)
    base_url = f"http://127.0.0.1:{unused_tcp_port}"
    async with httpx2.AsyncClient(base_url=base_url, timeout=10) as client:
        await eventually(lambda: answers(client, "/livez"))
        request = asyncio.create_task(client.get("/slow"))
        assert process.stdout is not None
        seen = [await process.stdout.readline()]
        process.send_signal(signal.SIGTERM)
        answer = await request
        seen += (await process.stdout.read()).splitlines(keepends=True)

    assert answer.text == "done"
    assert await process.wait() == 0
    ours = [line.decode().strip() for line in seen if not line.startswith(b"{")]
    assert ours == ["request begins", "request ends", "component stops", "pools close"]


async def test_a_process_that_cannot_start_says_so_by_its_exit_status(
    unused_tcp_port: int,
) -> None:
    process = await start(unused_tcp_port, "fail")
    output, _ = await process.communicate()

    assert process.returncode == 3
    assert b"no database" in output


async def test_a_service_serves_its_metrics_on_a_port_of_their_own(
    unused_tcp_port_factory: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, own = unused_tcp_port_factory(), unused_tcp_port_factory()
    monkeypatch.setenv("SHOP_SHOWS_METRICS", "false")
    monkeypatch.setenv("SHOP_SERVICE_METRICS_PORT", str(own))
    monkeypatch.setenv("SHOP_DATABASE_URL", "mysql://nobody@127.0.0.1/none")
    process = await start(port)
    async with httpx2.AsyncClient() as client:
        await eventually(lambda: answers(client, f"http://127.0.0.1:{own}/metrics"), timeout_s=60)
        await eventually(lambda: answers(client, f"http://127.0.0.1:{port}/livez"))
        api = await client.get(f"http://127.0.0.1:{port}/metrics")
        beside = await client.get(f"http://127.0.0.1:{own}/livez")
    process.terminate()
    await process.communicate()

    assert (api.status_code, beside.status_code) == (404, 404)


@pytest.mark.parametrize("path", ["/livez/", "/readyz/?x=1"])
async def test_no_redirect_names_an_address_of_ours(unused_tcp_port: int, path: str) -> None:
    process = await start(unused_tcp_port)
    base_url = f"http://127.0.0.1:{unused_tcp_port}"
    async with httpx2.AsyncClient(base_url=base_url) as client:
        await eventually(lambda: answers(client, "/livez"))
        answer = await client.get(path)
    process.terminate()
    await process.communicate()

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
