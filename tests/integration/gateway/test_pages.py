"""What the gateway answers by itself, and the process as it is started."""

import asyncio
import os
import signal
import sys
import urllib.request
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import orjson
import pytest

from common_lib.settings import Profile
from gateway.settings import GatewaySettings
from tests.integration.gateway.conftest import RedisServer
from tests.integration.gateway.harness import (
    Door,
    Request,
    Upstream,
    answer,
    answering_after,
    open_door,
    token,
)
from tests.waiting import eventually


@pytest.fixture
async def dev_door(settings: GatewaySettings) -> AsyncIterator[Door]:
    async with open_door(settings.model_copy(update={"profile": Profile.DEV})) as door:
        yield door


async def test_it_is_alive_without_asking_anybody(door: Door, upstream: Upstream) -> None:
    assert (await door.ask("/livez")).status == 200
    assert upstream.requests == []


async def test_readiness_names_each_part_with_its_milliseconds(door: Door) -> None:
    report = (await door.ask("/readyz")).json()

    assert set(report["checks"]) == {
        "redis",
        "user_service",
        "catalog_service",
        "order_service",
        "notification_service",
    }
    assert all(check["ok"] and check["ms"] >= 0 for check in report["checks"].values())


async def test_metrics_are_on_their_own_port_only(door: Door) -> None:
    await door.ask()
    (await door.ask("/metrics")).assert_problem(404, "not_found")
    url = f"http://127.0.0.1:{door.settings.metrics_port}/metrics"

    with await asyncio.to_thread(urllib.request.urlopen, url, timeout=5) as given:
        text = given.read().decode()

    assert 'http_requests_total{method="GET",route="/api/products",status="200"}' in text


async def test_the_documents_of_the_services_are_one(door: Door, upstream: Upstream) -> None:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        assert request.line == b"GET /openapi.json HTTP/1.1"
        paths: dict[str, Any] = {
            "/api/orders": {"post": {}},
            "/internal/x": {"post": {}},
            "/metrics": {"get": {}},
        }
        writer.write(answer(orjson.dumps({"openapi": "3.1.0", "paths": paths})))

    upstream.script = script
    merged = (await door.ask("/openapi.json")).json()

    assert merged["openapi"] == "3.1.0"
    assert list(merged["paths"]) == ["/api/orders"]


async def test_the_documentation_page_needs_nothing_from_elsewhere(dev_door: Door) -> None:
    page = await dev_door.ask("/docs")
    assert page.status == 200
    assert b"http://" not in page.body
    assert b"https://" not in page.body
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon.png"):
        assert f"/docs/{asset}".encode() in page.body
        assert (await dev_door.ask(f"/docs/{asset}")).status == 200
    (await dev_door.ask("/docs/README.md")).assert_problem(404, "not_found")


async def test_a_problem_code_has_its_page(door: Door) -> None:
    page = await door.ask("/problems/not_found")

    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert b"not_found" in page.body
    (await door.ask("/problems/<script>")).assert_problem(404, "not_found")


@pytest.fixture
async def process(
    redis_server: RedisServer, upstream: Upstream, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port = unused_tcp_port_factory()
    environment = {
        "SHOP_PROFILE": "test",
        "SHOP_PORT": str(port),
        "SHOP_METRICS_PORT": str(unused_tcp_port_factory()),
        "SHOP_REDIS_URL": redis_server.url,
        "SHOP_JWKS_URL": f"{upstream.url}/.well-known/jwks.json",
        **{
            f"SHOP_{name}_URL": upstream.url
            for name in ("USER", "CATALOG", "ORDER", "NOTIFICATION")
        },
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.main", env=os.environ | environment, stdout=PIPE
    )
    yield process, port
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_the_process_logs_the_first_three_steps_and_stops_gracefully(
    process: tuple[asyncio.subprocess.Process, int], settings: GatewaySettings, upstream: Upstream
) -> None:
    gateway, port = process
    door = Door(port, settings)
    trace_id = uuid4().hex

    async def is_up() -> bool:
        try:
            return (await door.ask("/livez")).status == 200
        except OSError:
            return False

    await eventually(is_up, timeout_s=30, what="the process")
    go_on = asyncio.Event()
    upstream.script = answering_after(go_on, answer(b"{}", "201 Created"))
    asked = asyncio.create_task(
        door.ask(
            "/api/orders",
            method="POST",
            headers=f"traceparent: 00-{trace_id}-b7ad6b7169203331-01\r\n",
            body=b"{}",
            bearer=token(),
        )
    )
    await eventually(lambda: upstream.requests, what="the order")
    gateway.send_signal(signal.SIGTERM)
    go_on.set()

    assert (await asked).status == 201
    output, _ = await asyncio.wait_for(gateway.communicate(), 15)
    lines = [orjson.loads(line) for line in output.splitlines() if line.startswith(b"{")]
    steps = [line for line in lines if line["event"] == "flow.step"]
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert {step["trace_id"] for step in steps} == {trace_id}
    assert {step["service"] for step in steps} == {"gateway"}
    assert (upstream.requests[0].header("traceparent") or "").split("-")[1] == trace_id
    assert gateway.returncode == 0
