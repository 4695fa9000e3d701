"""Query parameters: what a route does not know, and what comes twice, is refused by name."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import BaseModel, Field

from catalog_service import api as catalog
from common_lib import problems
from common_lib.problems import StrictRoute
from notification_service import api as notification
from order_service import api as order
from user_service import api as user


class Page(BaseModel):
    limit: int = 20
    cursor: str | None = None


class Asked(BaseModel):
    role: str | None = None
    begins_with: Annotated[str | None, Field(alias="beginsWith")] = None


async def page(limit: Annotated[int, Query(ge=1)] = 20, cursor: str | None = None) -> Page:
    return Page(limit=limit, cursor=cursor)


async def listed(
    page: Annotated[Page, Depends(page)],
    seller: Annotated[str | None, Query(alias="sellerId")] = None,
) -> dict[str, Any]:
    return {"limit": page.limit, "seller": seller}


async def asked(asked: Annotated[Asked, Query()]) -> dict[str, Any]:
    return asked.model_dump()


async def changed() -> None: ...


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI(openapi_url=None)
    app.state.settings = SimpleNamespace(max_body_bytes=10_000, body_timeout_s=1)
    router = APIRouter(route_class=StrictRoute)
    router.get("/list")(listed)
    router.get("/model")(asked)
    router.post("/change", status_code=204)(changed)
    app.include_router(router)
    problems.install(app)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://test"
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "pointer", "code"),
    [
        ("/list?createdAfter=2027-01-01T00:00:00Z", "/query/createdAfter", "invalid_parameter"),
        ("/list?page=2", "/query/page", "invalid_parameter"),
        ("/list?offset=0&limit=1", "/query/offset", "invalid_parameter"),
        ("/list?Limit=1", "/query/Limit", "invalid_parameter"),
        ("/list?seller=x", "/query/seller", "invalid_parameter"),
        ("/list?limit[]=1", "/query/?", "invalid_parameter"),
        ("/list?%3Cscript%3E=1", "/query/?", "invalid_parameter"),
        ("/list?=1", "/query/?", "invalid_parameter"),
        ("/list?flag", "/query/flag", "invalid_parameter"),
        ("/list?limit=1&limit=2", "/query/limit", "repeated_parameter"),
        ("/list?limit=1&limit=1", "/query/limit", "repeated_parameter"),
        ("/list?sellerId=a&%73ellerId=b", "/query/sellerId", "repeated_parameter"),
        ("/list?limit=1&limit", "/query/limit", "repeated_parameter"),
        ("/list?limit=ten", "/query/limit", "int_parsing"),
        ("/list?limit=", "/query/limit", "int_parsing"),
        ("/model?role=a&offset=1", "/query/offset", "invalid_parameter"),
        ("/model?begins_with=a", "/query/begins_with", "invalid_parameter"),
        ("/model?role=a&role=b", "/query/role", "repeated_parameter"),
    ],
)
async def test_a_parameter_that_does_not_fit_is_refused_by_its_name(
    client: httpx2.AsyncClient, path: str, pointer: str, code: str
) -> None:
    answer = await client.get(path)

    document = answer.json()
    assert (answer.status_code, document["code"]) == (422, "validation_failed")
    assert [(each["pointer"], each["code"]) for each in document["errors"]] == [(pointer, code)]
    assert "script" not in answer.text


@pytest.mark.parametrize(
    "path", ["/list", "/list?", "/list?limit=5&cursor=a&sellerId=x", "/model?beginsWith=a&role="]
)
async def test_parameters_that_fit_are_taken(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


async def test_a_change_takes_no_parameter_that_it_does_not_know(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.post("/change?dryRun=true")).status_code == 422
    assert (await client.post("/change")).status_code == 204


ROUTERS = [*catalog.ROUTERS, *order.ROUTERS, *user.ROUTERS, notification.router]


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: str(router.tags or router.prefix))
def test_every_route_of_every_service_reads_its_query_strictly(router: APIRouter) -> None:
    assert router.routes
    assert all(isinstance(route, StrictRoute) for route in router.routes)
