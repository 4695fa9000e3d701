"""Errors become problem documents; bodies are parsed strictly."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import Field

from common_lib import problems
from common_lib.errors import (
    Conflict,
    DomainError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Rejected,
    Unavailable,
)
from common_lib.problems import LaxId, RequestModel, StrictRoute, parse_id, parse_json, status_of


class Parcel(RequestModel):
    quantity: Annotated[int, Field(ge=1, le=100)]
    full_name: str = "nobody"
    owner_id: LaxId | None = None


async def take(parcel: Parcel) -> dict[str, Any]:
    return {"quantity": parcel.quantity}


async def page(limit: Annotated[int, Query(ge=1)] = 1) -> int:
    return limit


async def listed(
    limit: Annotated[int, Query(ge=1)] = 1, other: Annotated[int, Depends(page)] = 1
) -> int:
    return limit + other


async def fail() -> None:
    raise RuntimeError("secret internals")


async def busy() -> None:
    raise Unavailable("resting", retry_after_s=2.4)


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI(openapi_url=None)
    app.state.settings = SimpleNamespace(max_body_bytes=10_000, body_timeout_s=1)
    router = APIRouter(route_class=StrictRoute)
    router.post("/parcels")(take)
    router.put("/parcels")(take)
    router.get("/shelves")(listed)
    router.get("/fail")(fail)
    router.get("/busy")(busy)
    app.include_router(router)
    problems.install(app)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound(), 404),
        (Conflict(), 409),
        (Rejected(), 422),
        (Forbidden(), 403),
        (Unavailable(), 503),
        (PreconditionFailed(), 412),
    ],
)
def test_each_family_has_its_status(error: DomainError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b'{"quantity": 1', 400, "malformed_json"),
        (b"\xff\xfe", 400, "invalid_utf8"),
        (b'{"quantity": 1, "fullName": "\xff"}', 400, "invalid_utf8"),
        (b"[" * 5000, 400, "malformed_json"),
        (b'{"quantity": NaN}', 422, "validation_failed"),
        (b'{"quantity": Infinity}', 422, "validation_failed"),
        (b'{"quantity": 1e400}', 422, "validation_failed"),
        (b'{"quantity": "5"}', 422, "validation_failed"),
        (b'{"quantity": true}', 422, "validation_failed"),
        (b'{"quantity": 5.0}', 422, "validation_failed"),
        (b'{"quantity": 99999999999999999999999999}', 422, "validation_failed"),
        (b'{"quantity": 5, "colour": "red"}', 422, "validation_failed"),
        (b'{"quantity": 5, "full_name": "by field name"}', 422, "validation_failed"),
        (b'{"quantity": 5, "fullName": "a\\u0000b"}', 422, "validation_failed"),
        (b'{"quantity": 5, "fullName": "\\ud800"}', 422, "validation_failed"),
        (b'{"quantity": 5, "ownerId": "not-an-id"}', 422, "validation_failed"),
        (b"null", 422, "validation_failed"),
        (b"", 422, "validation_failed"),
        (b'{"quantity": 5, "fullName": "' + b"x" * 10_000 + b'"}', 413, "body_too_large"),
    ],
)
async def test_a_bad_body_gets_its_exact_answer(
    client: httpx2.AsyncClient, body: bytes, status: int, code: str
) -> None:
    answer = await client.post(
        "/parcels", content=body, headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_good_body_is_taken(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/parcels", json={"quantity": 5})

    assert (answer.status_code, answer.json()) == (200, {"quantity": 5})


async def test_a_body_that_is_not_json_is_refused_by_its_type(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/parcels", content=b"quantity=5", headers={"content-type": "text/plain"}
    )

    assert answer.status_code == 415


async def test_the_input_is_never_echoed(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/parcels", json={"quantity": "<script>", "<img onerror>": "hunter2"}
    )

    assert "script" not in answer.text
    assert "onerror" not in answer.text
    assert "hunter2" not in answer.text
    assert {"pointer": "/quantity", "code": "int_type"}.items() <= answer.json()["errors"][
        0
    ].items()


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/parcels", 405)])
async def test_unknown_paths_and_methods_are_problems_too(
    client: httpx2.AsyncClient, path: str, status: int
) -> None:
    answer = await client.get(path)

    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_refused_method_is_told_of_all_routes_of_the_path(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.patch("/parcels")

    assert answer.status_code == 405
    assert sorted(answer.headers["allow"].split(", ")) == ["POST", "PUT"]


async def test_a_crash_says_nothing_of_its_cause(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/fail")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_retry_after_is_in_whole_seconds(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/busy")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


@pytest.mark.parametrize(
    "text", ["", "1", "x" * 36, "0192f0c1" * 4, "{0192f0c1-0000-7000-8000-000"]
)
def test_a_malformed_id_names_nothing(text: str) -> None:
    with pytest.raises(NotFound):
        parse_id(text)


def test_plain_json_is_parsed() -> None:
    assert parse_json(b'{"a": [1, "\xc3\xa9"]}') == {"a": [1, "é"]}


def test_a_deep_document_with_a_nul_is_refused_and_not_a_crash() -> None:
    deep = b"[" * 1000 + b'{"a": ["\\u0000"]}' + b"]" * 1000

    with pytest.raises(problems.UnacceptableJson):
        parse_json(deep)


@pytest.mark.parametrize("text", [b'{"\\u0000": 1}', b'["a", {"b": "x\\u0000"}]'])
def test_a_nul_is_found_in_names_and_values(text: bytes) -> None:
    with pytest.raises(problems.UnacceptableJson):
        parse_json(text)


async def test_a_malformed_id_is_not_quoted(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/parcels", json={"quantity": 1, "ownerId": "<§>"})

    assert answer.status_code == 422
    assert "<" not in answer.text
    assert "§" not in answer.text


async def test_a_wrong_parameter_is_named_once_however_many_parts_read_it(
    client: httpx2.AsyncClient,
) -> None:
    answer = (await client.get("/shelves?limit=x")).json()

    assert [error["pointer"] for error in answer["errors"]] == ["/query/limit"]
    assert answer["detail"] == "query.limit: Send a whole number such as 5"


async def test_the_detail_of_an_unfit_query_names_the_parameter(client: httpx2.AsyncClient) -> None:
    answer = (await client.get("/shelves?page=2")).json()

    assert answer["detail"] != answer["title"]
    assert answer["detail"].startswith("query.page: There is no such parameter")
