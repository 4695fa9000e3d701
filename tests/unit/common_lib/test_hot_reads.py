"""What is answered before the framework is what the framework would have answered."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from common_lib import telemetry
from common_lib.runtime import HotRoute, create_app
from common_lib.runtime.hot_reads import HotRead, names_tag, pack, packed_response
from common_lib.settings import ServiceSettings

TAG, BODY = '"7-0a"', b'{"id":"a"}'
TEMPLATE = "/things/{name}"


class Shelf:
    """What is at hand, and how often the usual way was taken."""

    def __init__(self, **ready: bytes) -> None:
        self.ready = ready
        self.asked = 0


async def usual(request: Request) -> Response:
    shelf: Shelf = request.app.state.shelf
    shelf.asked += 1
    return packed_response(request, pack(TAG, BODY))


def thing_at_hand(state: Any, name: str) -> bytes | None:
    shelf: Shelf = state.shelf
    return shelf.ready.get(name)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(a=pack(TAG, BODY))


@pytest.fixture
def client(shelf: Shelf) -> httpx2.AsyncClient:
    app = create_app(
        ServiceSettings(port=1),
        "things",
        routes=[HotRoute(TEMPLATE, usual, methods=["GET"])],
        hot_reads=[HotRead("/things", TEMPLATE, thing_at_hand)],
    )
    app.state.shelf = shelf
    asgi: ASGIApp = app
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=asgi), base_url="http://things")


@pytest.fixture(autouse=True)
def unsampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry._State, "sample_ratio", 0.0)


def plain(answer: httpx2.Response) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, dict(answer.headers), answer.content


@pytest.mark.parametrize(
    "headers", [{}, {"if-none-match": TAG}, {"if-none-match": '"8"'}, {"if-none-match": "*"}]
)
async def test_both_ways_give_the_same_answer(
    client: httpx2.AsyncClient, shelf: Shelf, headers: Mapping[str, str]
) -> None:
    named = {**headers, "x-request-id": "mine"}
    hot = await client.get("/things/a", headers=named)
    slow = await client.get("/things/b", headers=named)

    assert plain(hot) == plain(slow)
    assert shelf.asked == 1


@pytest.mark.parametrize("headers", [{}, {"if-none-match": TAG}])
async def test_head_is_answered_as_get_is_without_the_body(
    client: httpx2.AsyncClient, shelf: Shelf, headers: Mapping[str, str]
) -> None:
    named = {**headers, "x-request-id": "mine"}
    got = await client.get("/things/a", headers=named)
    hot = await client.head("/things/a", headers=named)
    slow = await client.head("/things/b", headers=named)

    assert plain(hot) == plain(slow) == (got.status_code, dict(got.headers), b"")
    assert shelf.asked == 1


@pytest.mark.parametrize("given", ["", "x" * 129, "<script>"])
async def test_an_unfit_request_id_is_replaced(client: httpx2.AsyncClient, given: str) -> None:
    answer = await client.get("/things/a", headers={"x-request-id": given})

    assert answer.headers["x-request-id"] not in {"", given}


async def test_what_is_answered_early_is_counted_under_its_route(
    client: httpx2.AsyncClient, shelf: Shelf
) -> None:
    labels = {"method": "GET", "route": TEMPLATE, "status": "200"}
    before = REGISTRY.get_sample_value("http_requests_total", labels) or 0

    await client.get("/things/a")

    assert REGISTRY.get_sample_value("http_requests_total", labels) == before + 1
    assert shelf.asked == 0


@pytest.mark.parametrize(("flags", "times"), [("01", 1), ("00", 0)])
async def test_a_traced_request_takes_the_usual_way(
    client: httpx2.AsyncClient, shelf: Shelf, flags: str, times: int
) -> None:
    traceparent = f"00-{'a' * 32}-{'b' * 16}-{flags}"

    answer = await client.get("/things/a", headers={"traceparent": traceparent})

    assert (answer.status_code, shelf.asked) == (200, times)


async def test_a_trace_may_begin_with_any_request(
    client: httpx2.AsyncClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry._State, "sample_ratio", 1.0)

    await client.get("/things/a")

    assert shelf.asked == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/things/a", 200),
        ("OPTIONS", "/things/a", 405),
        ("DELETE", "/things/a", 405),
        ("GET", "/things/a/", 404),
        ("GET", "/things", 404),
        ("GET", "/", 404),
    ],
)
async def test_all_else_is_left_to_the_framework(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == status


def test_if_none_match_compares_weakly() -> None:
    assert names_tag(f'"1", W/{TAG}', TAG)
    assert names_tag("*", TAG)
    assert not names_tag('"3"', TAG)
    assert not names_tag(None, TAG)
