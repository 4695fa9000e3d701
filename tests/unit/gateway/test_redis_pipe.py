"""The limiter's connection to Redis: whatever breaks it, nobody waits for ever."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.redis_pipe import RedisPipe

LONG_S = 2.0


class DeadTransport(asyncio.Transport):
    """A connection that uvloop has closed without telling its protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False

    def write(self, data: object) -> None:
        del data
        raise RuntimeError("the handler is closed")

    def abort(self) -> None:
        self.is_aborted = True


@pytest.fixture
def dead() -> DeadTransport:
    return DeadTransport()


async def test_a_connection_made_as_the_time_runs_out_is_given_up(
    monkeypatch: pytest.MonkeyPatch, dead: DeadTransport
) -> None:
    async def connect_too_late(new: Callable[[], RedisPipe], *_: Any, **__: Any) -> None:
        new().connection_made(dead)
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connect_too_late)
    pipe = RedisPipe("redis://127.0.0.1:1/0", "return 1", timeout_s=0.05)

    answers = [await asyncio.wait_for(pipe.send(b"PING"), LONG_S) for _ in range(2)]

    assert answers == [None, None]
    assert dead.is_aborted


async def test_a_write_that_fails_ends_everybodys_waiting(dead: DeadTransport) -> None:
    pipe = RedisPipe("redis://127.0.0.1:1/0", "return 1", timeout_s=0.05)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    pipe.connection_made(dead)

    answers = await asyncio.wait_for(
        asyncio.gather(*(pipe.send(b"PING") for _ in range(3))), LONG_S
    )

    assert answers == [None, None, None]
    assert dead.is_aborted
