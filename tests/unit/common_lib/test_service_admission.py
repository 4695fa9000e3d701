"""Each service admits for itself: what does not fit is refused before anything is asked of it."""

import asyncio
from typing import Any

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from common_lib.admission import BOUNDS_BEHIND, Bounds, Kind
from common_lib.awaited import (
    EXTENSION,
    Caller,
    NobodyWaits,
    current_wait,
    ensure_awaited,
)
from common_lib.runtime import DeadlineMiddleware
from common_lib.runtime.admission import Admission

SMALL = Bounds(promised_s=1.0, start=2, least=1, most=4)


class Held:
    """An app that answers when it is let go on."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        self.asked += 1
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def nothing() -> Any:
    return {"type": "http.disconnect"}


async def ask(app: Any, method: str, path: str) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": path, "headers": []}, nothing, send)
    start, *bodies = sent
    return start["status"], dict(start["headers"]), b"".join(each["body"] for each in bodies)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Held:
    for kind in (Kind.ORDER, Kind.READ):
        monkeypatch.setitem(BOUNDS_BEHIND, kind, SMALL)
    return Held()


async def test_what_does_not_fit_is_refused_as_a_problem_that_says_when_to_come_back(
    app: Held,
) -> None:
    door = Admission(app, problem_base_url="/problems")
    taken = [asyncio.create_task(ask(door, "POST", "/api/orders")) for _ in range(2)]
    await asyncio.sleep(0)

    status, headers, body = await ask(door, "POST", "/api/orders")
    app.go_on.set()
    served = await asyncio.gather(*taken)

    assert (status, orjson.loads(body)["code"], headers[b"retry-after"]) == (
        503,
        "overloaded",
        b"1",
    )
    assert headers[b"content-type"] == b"application/problem+json"
    assert [answer[0] for answer in served] == [200, 200]
    assert app.asked == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("POST", "/internal/inventory/reserve"),
        ("POST", "/api/orders/1/cancel"),
        ("GET", "/api/orders"),
    ],
)
async def test_while_orders_are_refused_everything_else_is_taken(
    app: Held, method: str, path: str
) -> None:
    door = Admission(app, problem_base_url="/problems")
    taken = [asyncio.create_task(ask(door, "POST", "/api/orders")) for _ in range(2)]
    await asyncio.sleep(0)

    other = asyncio.create_task(ask(door, method, path))
    app.go_on.set()

    assert (await other)[0] == 200
    await asyncio.gather(*taken)


async def test_a_place_is_free_again_once_the_answer_begins(app: Held) -> None:
    door = Admission(app, problem_base_url="/problems")
    app.go_on.set()

    statuses = [(await ask(door, "POST", "/api/orders"))[0] for _ in range(5)]

    assert statuses == [200] * 5
    assert door.limiter(Kind.ORDER).in_flight == 0


async def test_a_place_is_free_again_after_a_crash() -> None:
    async def crashing(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        raise RuntimeError

    door = Admission(crashing, problem_base_url="/problems")
    for _ in range(5):
        with pytest.raises(RuntimeError):
            await ask(door, "POST", "/api/orders")

    assert door.limiter(Kind.ORDER).in_flight == 0


# Whether anybody waits


def scope_of(caller: Caller | None = None, **headers: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/api/orders",
        "extensions": {EXTENSION: caller} if caller else {},
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }


async def looked_at(scope: dict[str, Any], before: Any = None) -> bool:
    """Return whether the request is still waited for when the app looks."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        if before is not None:
            before()
        try:
            ensure_awaited()
        except NobodyWaits:
            seen.append(False)
        else:
            seen.append(True)

    await asyncio.create_task(DeadlineMiddleware(app)(scope, nothing, nothing))  # type: ignore[arg-type]
    return seen[0]


async def test_a_request_is_waited_for_until_its_time_is_over() -> None:
    assert await looked_at(scope_of())
    assert await looked_at(scope_of(x_request_timeout_ms="60000"))
    assert not await looked_at(scope_of(x_request_timeout_ms="0"))


async def test_a_request_whose_caller_left_is_waited_for_no_more() -> None:
    caller = Caller()

    def leave() -> None:
        caller.is_gone = True

    assert await looked_at(scope_of(caller))
    assert not await looked_at(scope_of(caller), before=leave)


async def test_outside_of_a_request_nobody_is_in_a_hurry() -> None:
    assert not current_wait().is_over()
