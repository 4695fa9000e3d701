"""Routes by roles by owners, over the user, order and notification service and the gateway.

Each call of each caller is answered as api.md says, at the service's own port and through the
gateway. Generated from the tables beside this file; a route that is in no table fails the first
test. The catalog's table has a test of its own, in its integration tests.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx2
import pytest
from redis.asyncio import Redis

import catalog_service.api
import gateway.pages
import notification_service.api
import order_service.api
import user_service.api
from common_lib.cache import create_redis
from common_lib.ids import new_id
from gateway.routes import ROUTES as LET_THROUGH
from gateway.routes import match
from shop.stack.layout import SERVICES
from shop.stack.native import NativeStack
from tests.e2e.rights import accounts, shopping
from tests.e2e.rights.callers import BAD_TOKENS, Actor
from tests.e2e.rights.rows import Row
from tests.e2e.rights.world import Stage, World, new_stage
from tests.rights.answers import GONE, NO_TOKEN, Answer, Refused, flaws_of_refusal, flaws_of_unknown
from tests.rights.assigned import taken_by, widened
from tests.rights.routes import document_of, routes_of
from tests.waiting import eventually

ROWS: Final = (*accounts.ROWS, *shopping.ROWS)
ROUTERS: Final = {
    "user": (user_service.api.ROUTERS, ()),
    "order": (order_service.api.ROUTERS, order_service.api.ROUTES),
    "notification": ((notification_service.api.router,), ()),
    "catalog": (catalog_service.api.ROUTERS, catalog_service.api.ROUTES),
}
OPERATIONS: Final = {"/livez", "/readyz", "/healthz", "/metrics", "/openapi.json"}
GATEWAYS_OWN: Final = {"/openapi.json", "/docs", "/docs/{asset}", "/problems", "/problems/{code}"}
# What is looked at only after the body was taken.
LATE: Final = {
    "current_password_required",
    "guest_token_invalid",
    "invalid_token",
    "mfa_not_enabled",
    "one_time_token_invalid",
    "order_not_payable",
    "refund_exceeds_captured",
}
BEARER: Final[dict[str, list[str]]] = {"bearer": []}
MALFORMED: Final = ("1", "null", "not-an-id", "%20", "%F0%9F%98%80", "0" * 36, "-" * 36)
ROUTES: Final = list({(row.method, row.path): row for row in reversed(ROWS)}.values())[::-1]
WITH_IDS: Final = [row for row in ROUTES if row.parameters and row.granted]
WITH_JSON: Final = [row for row in ROUTES if row.body and row.is_strict]
INTERNAL: Final = [row for row in ROUTES if row.is_internal]


@pytest.fixture(scope="module")
async def stage(stack: NativeStack) -> AsyncIterator[Stage]:
    redis: Redis = create_redis(stack.layout.redis_url)
    async with httpx2.AsyncClient(base_url=stack.layout.url("gateway"), timeout=30) as http:
        yield await new_stage(stack, http, redis)
    await redis.aclose()


async def state(world: World) -> list[Any]:
    """Return what the owner has, as the owner sees it; not what others leave of the stock."""
    own = world.owner.user_id
    paths = [f"/api/users/{own}", f"/api/users/{own}/addresses", f"/api/cart/{own}", "/api/orders"]
    if "order_id" in world.ids:
        order = f"/api/orders/{world.ids['order_id']}"
        paths += [f"{order}/timeline", f"{order}/payments"]
    found = [(await world.owner.request("GET", path)).json() for path in paths]
    found[2].pop("expiresAt", None)
    for item in found[2].get("items", ()):
        item.pop("available", None)
    return found


def through_gateway(row: Row, actor: Actor) -> Answer:
    """Return the answer at the gateway, which looks at the tokens of all who come with one.

    Whoever comes to get one may carry an old one.
    """
    route = match(row.path.replace("{", "").replace("}", "").encode())
    is_way_in = row.spec == "P" and row.method == "POST"
    if is_way_in or (route is not None and route.is_webhook):
        return row.answers[actor]
    return BAD_TOKENS.get(actor, row.answers[actor])


@pytest.mark.parametrize("service", ["user", "order", "notification"])
def test_every_route_is_in_the_table(service: str) -> None:
    listed = {(row.method, row.path) for row in ROWS if row.service == service}

    assert routes_of(*ROUTERS[service]) == listed


def test_every_row_answers_every_caller() -> None:
    missing = {str(row): set(Actor) - set(row.answers) for row in ROWS}
    assert {row: actors for row, actors in missing.items() if actors} == {}
    assert len({str(row) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("service", list(ROUTERS))
def test_the_gateway_lets_through_what_is_public_and_nothing_else(service: str) -> None:
    for _, path in routes_of(*ROUTERS[service]):
        raw = path.replace("{", "").replace("}", "").replace(":uuid", "").encode()
        route = match(raw)
        assert (route.upstream if route else None) == (
            None if path.startswith("/internal") else service
        ), path


def test_the_gateway_has_no_other_pages_of_its_own() -> None:
    assert {route.path for route in gateway.pages.routes()} == GATEWAYS_OWN  # type: ignore[attr-defined]
    assert not [route for route in LET_THROUGH if "internal" in route.path]


@pytest.mark.parametrize("service", list(ROUTERS))
def test_the_documents_tell_who_may_ask(service: str) -> None:
    document = document_of(*ROUTERS[service])
    rows = {(row.method.lower(), row.path): row for row in ROWS if row.service == service}
    told = {
        (method, path): operation.get("security", [])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if (method, path) in rows
    }
    needs_a_token = {name for name in told if rows[name].answers[Actor.ANONYMOUS] == NO_TOKEN}
    assert {name for name, security in told.items() if security == [BEARER]} == needs_a_token


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_each_caller_is_answered_as_the_table_says(row: Row, stage: Stage) -> None:
    world = await row.build(stage)
    await _mailed(row, world)
    harmless = [a for a in Actor if row.is_safe or isinstance(row.answers[a], Refused)]
    before = await state(world)
    found = {actor: await _tried(row, stage, actor, world) for actor in harmless}
    after = await state(world)
    for actor in set(Actor) - set(harmless):
        found[actor] = await _tried_at_one(row, stage, actor, await row.build(stage))
    assert {actor: flaws for actor, flaws in found.items() if flaws} == {}
    assert after == before


async def _mailed(row: Row, world: World) -> None:
    """Wait for the welcome of a new customer, which the log of notifications tells of."""

    async def told() -> bool:
        items = (await world.owner.request("GET", "/api/notifications")).json()["items"]
        return bool(items)

    if row.service == "notification":
        await eventually(told, what="the welcome", timeout_s=20)


async def _tried(row: Row, stage: Stage, actor: Actor, world: World) -> list[str]:
    headers = await stage.bearer(actor, world, row.service)
    wanted = row.answers[actor]
    answer = await row.send(stage, world, headers)
    found = row.flaws(world, wanted, answer)
    if wanted == GONE and row.parameters:
        unknown = await row.send(stage, world, headers, **_unknown(row))
        found += flaws_of_unknown(answer, unknown)
    if not row.is_internal:
        again = await stage.bearer(actor, world, row.service)
        outside = await row.send(stage, world, again, door="gateway")
        found += row.flaws(world, through_gateway(row, actor), outside)
    return found


async def _tried_at_one(row: Row, stage: Stage, actor: Actor, world: World) -> list[str]:
    """Try what can be done once: through the gateway, where it is reached that way."""
    headers = await stage.bearer(actor, world, row.service)
    if row.is_internal:
        return row.flaws(world, row.answers[actor], await row.send(stage, world, headers))
    answer = await row.send(stage, world, headers, door="gateway")
    return row.flaws(world, through_gateway(row, actor), answer)


def _unknown(row: Row) -> dict[str, Any]:
    return {name: new_id() for name in row.parameters}


async def _granted(row: Row, stage: Stage) -> tuple[World, Mapping[str, str]]:
    """Return fresh things, and the headers of somebody who may do this to them."""
    world = await row.build(stage)
    wanted = (Actor.OWNER, Actor.ADMIN, *row.granted)
    actor = next(each for each in wanted if each in row.granted)
    return world, await stage.bearer(actor, world, row.service)


@pytest.mark.parametrize("row", WITH_IDS, ids=str)
async def test_a_malformed_or_unknown_id_is_not_found(row: Row, stage: Stage) -> None:
    world, headers = await _granted(row, stage)
    before = await state(world)
    for name in row.parameters:
        unknown = await row.send(stage, world, headers, **{name: str(new_id())})
        assert unknown.status_code == row.unknown.get(name, 404), (name, unknown.text)
        good = str(row.ids(world)[name])
        for bad in (*MALFORMED, good[:-1], f"{good}0", f"{{{good}}}", f"{good}%20"):
            answer = await row.send(stage, world, headers, **{name: bad})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), bad
    if not row.granted or row.is_safe:
        assert await state(world) == before


@pytest.mark.parametrize("row", INTERNAL, ids=str)
async def test_the_gateway_has_no_internal_routes(row: Row, stage: Stage) -> None:
    world = await row.build(stage)
    for actor in Actor:
        headers = await stage.bearer(actor, world, row.service)
        answer = await row.send(stage, world, headers, door="gateway")
        assert flaws_of_refusal(world.traces(), GONE, answer) == [], actor


@pytest.mark.parametrize("path", sorted(OPERATIONS - {"/livez", "/readyz", "/healthz"}))
async def test_what_is_for_the_operator_is_not_for_the_world(stage: Stage, path: str) -> None:
    for service in SERVICES:
        own = await stage.http.get(stage.stack.layout.url(service) + path)
        assert own.status_code == 200
    if path == "/metrics":
        assert (await stage.http.get(path)).status_code == 404


@pytest.mark.parametrize("row", WITH_JSON, ids=str)
async def test_nothing_is_assigned_that_is_not_asked_for(row: Row, stage: Stage) -> None:
    world, headers = await _first_let_in(row, stage)
    before = await state(world)
    good = row.body(world) if row.body else {}
    # Of what is for services only, no document tells.
    taken = taken_by(document_of(*ROUTERS[row.service]), row.method, row.path) or set(good)
    for body, pointer in widened(good, taken):
        answer = await row.send(stage, world, headers, body=body)
        assert answer.status_code == 422, (pointer, answer.status_code, answer.text)
        assert answer.json()["code"] == "validation_failed"
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert await state(world) == before


async def _first_let_in(row: Row, stage: Stage) -> tuple[World, Mapping[str, str]]:
    """Return fresh things, and the headers of somebody who comes as far as the body."""
    world = await row.build(stage)
    wanted = (Actor.OWNER, Actor.ADMIN, *row.granted)
    actor = next(a for a in wanted if _is_late(row.answers[a]))
    return world, await stage.bearer(actor, world, row.service)


def _is_late(answer: Answer) -> bool:
    return not isinstance(answer, Refused) or answer.code in LATE
