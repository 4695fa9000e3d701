"""Connections that die at rest, in the pools of Redis, of AWS and of calls to other services.

MySQL's pool has its own in test_database_failures, the gateway's in tests/integration/gateway.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from common_lib.bus import Bus
from common_lib.cache import create_redis
from common_lib.http_client import HttpClient
from tests.integration.common_lib.cutting import Proxy, proxy_before
from tests.serving import listening
from tests.waiting import eventually

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
AT_ONCE = 8


async def cut(proxy: Proxy) -> None:
    proxy.drop_all()
    await eventually(lambda: not proxy._clients, what="the connections to be dead")


async def ping(redis: Redis) -> None:
    await redis.set("test:dying", b"1")


async def pipeline(redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        pipe.get("test:dying")
        pipe.ttl("test:dying")
        await pipe.execute()


async def script(redis: Redis) -> None:
    await redis.eval("return redis.call('get', KEYS[1])", 1, "test:dying")


@pytest.mark.parametrize("use", [ping, pipeline, script])
async def test_a_restart_of_redis_at_rest_costs_no_command(
    redis: Redis, use: Callable[[Redis], Awaitable[None]]
) -> None:
    target = redis.connection_pool.connection_kwargs
    async with proxy_before(target["host"], target["port"]) as proxy:
        client = create_redis(f"redis://127.0.0.1:{proxy.port}/0", timeout_s=2)
        for _ in range(3):
            await asyncio.gather(*(use(client) for _ in range(AT_ONCE)))
            await cut(proxy)
        await client.aclose()

    assert proxy.accepted > AT_ONCE


async def test_connections_to_aws_that_died_at_rest_cost_no_call(bus: Bus, queue: str) -> None:
    settings = bus._settings
    assert settings.aws_endpoint_url is not None
    host, _, port = settings.aws_endpoint_url.removeprefix("http://").partition(":")
    async with proxy_before(host, int(port)) as proxy:
        own = settings.model_copy(update={"aws_endpoint_url": f"http://127.0.0.1:{proxy.port}"})
        async with Bus(own) as through:
            for _ in range(3):
                await asyncio.gather(*(through.ping() for _ in range(3)))
                assert await through.receive(queue, wait_s=0) == []
                await cut(proxy)

    assert proxy.accepted > 3


DEATHS = [
    pytest.param(b"", id="FIN"),
    pytest.param(b"x", id="a stray byte"),
    pytest.param(OK, id="an answer to nothing"),
    pytest.param(
        b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        id="408 unasked",
    ),
]


@pytest.mark.parametrize("last_words", DEATHS)
async def test_a_post_to_another_service_never_meets_a_connection_that_died_at_rest(
    last_words: bytes,
) -> None:
    requests: list[bytes] = []
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()
        await may_die.wait()
        writer.write(last_words)
        writer.write_eof()
        await reader.read()  # until the client has noticed and let go
        writer.close()
        gone.set()

    async with listening(serve) as port:
        client = HttpClient("peer", [f"http://127.0.0.1:{port}"])
        for number in range(1, 4):
            gone.clear()
            may_die = asyncio.Event()
            assert (await client.request("POST", "/x")).status == 200
            may_die.set()
            async with asyncio.timeout(10):
                await gone.wait()
            assert len(requests) == number
        await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK, id="103 before it"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, id="100 before it"),
        pytest.param(OK + b"more than promised", id="longer than its length"),
        pytest.param(OK + OK.replace(b"200 OK", b"500 No"), id="two answers"),
        pytest.param(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), id="announced end"),
    ],
)
async def test_after_any_answer_the_next_call_gets_its_own(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
        writer.close()

    async with listening(serve) as port:
        client = HttpClient("peer", [f"http://127.0.0.1:{port}"])
        for _ in range(5):
            given = await client.request("POST", "/x", is_idempotent=True)
            assert (given.status, given.body) == (200, b"{}")
        await client.close()
