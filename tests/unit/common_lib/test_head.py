"""HEAD is answered wherever GET is, as GET is, without a body."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from prometheus_client import REGISTRY
from starlette.responses import StreamingResponse

from common_lib.errors import NotFound
from common_lib.problems import RequestModel, StrictRoute
from common_lib.runtime import create_app
from common_lib.settings import ServiceSettings


class Thing(RequestModel):
    name: str


async def read(thing_id: str) -> dict[str, Any]:
    if thing_id == "none":
        raise NotFound
    return {"id": thing_id}


async def write(thing: Thing) -> dict[str, Any]:
    return {"id": thing.name}


async def stream() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"part"

    return StreamingResponse(parts(), media_type="text/csv")


@pytest.fixture
def app() -> FastAPI:
    router = APIRouter(route_class=StrictRoute)
    router.get("/things/{thing_id}")(read)
    router.put("/things/{thing_id}")(write)
    router.post("/things")(write)
    router.get("/streams")(stream)
    return create_app(ServiceSettings(port=1), "things", routers=[router])


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://things") as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/things/a", "/things/none", "/streams", "/nothing", "/livez", "/openapi.json"]
)
async def test_head_is_get_without_a_body(client: httpx2.AsyncClient, path: str) -> None:
    headers = {"x-request-id": "mine"}
    got = await client.get(path, headers=headers)
    head = await client.head(path, headers=headers)

    assert (head.status_code, dict(head.headers)) == (got.status_code, dict(got.headers))
    assert got.content
    assert head.content == b""


async def test_there_is_no_head_where_there_is_no_get(client: httpx2.AsyncClient) -> None:
    head = await client.head("/things")

    assert (head.status_code, head.headers["allow"]) == (405, "POST")


async def test_another_method_is_told_of_head(client: httpx2.AsyncClient) -> None:
    answer = await client.request("PATCH", "/things/a")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PUT")


async def test_head_is_counted_as_head_under_its_route(client: httpx2.AsyncClient) -> None:
    labels = {"method": "HEAD", "route": "/things/{thing_id}", "status": "200"}
    before = REGISTRY.get_sample_value("http_requests_total", labels) or 0

    await client.head("/things/a")

    assert REGISTRY.get_sample_value("http_requests_total", labels) == before + 1


def test_the_document_names_each_read_once(app: FastAPI) -> None:
    assert set(app.openapi()["paths"]["/things/{thing_id}"]) == {"get", "put"}
