"""Routes by roles by owners: each call of each caller is answered as api.md says.

Generated from the table beside this file; a route that is not in the table fails the first test.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from starlette.routing import Route

from catalog_service.main import build_app
from catalog_service.models import Base
from common_lib.auth import StaticKeys
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, new_key
from tests.integration.catalog_service.rights.callers import Actor
from tests.integration.catalog_service.rights.rows import Cast, Row, new_cast
from tests.integration.catalog_service.rights.table import ROWS
from tests.integration.catalog_service.rights.worlds import World
from tests.rights.answers import GONE, Granted, Refused, flaws_of_unknown, members
from tests.rights.assigned import taken_by, widened

pytestmark = pytest.mark.enable_socket

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
MALFORMED: Final = ("1", "null", "not-an-id", "%20", "%00", "%F0%9F%98%80", "0" * 36, "-" * 36)
# What the body of a route takes that stands in no document: hot, and for services only.
UNDOCUMENTED: Final = {"/internal/inventory/reserve": {"userId"}}
# Not CHECKSUM TABLE: in MariaDB it changes by itself where a column is generated.
_CONTENTS: Final = sa.union_all(
    *(
        sa.select(
            sa.literal(table.name),
            sa.func.count(),
            sa.func.bit_xor(
                sa.func.crc32(
                    sa.func.concat_ws(
                        "|", *(sa.func.coalesce(sa.func.hex(c), "-") for c in table.columns)
                    )
                )
            ),
        ).select_from(table)
        for table in Base.metadata.sorted_tables
    )
)

# One row of each route: what does not hang on the state of its things is tried on these.
ROUTES: Final = list({(row.method, row.path): row for row in reversed(ROWS)}.values())[::-1]
WITH_IDS: Final = [row for row in ROUTES if row.parameters]
WITH_JSON: Final = [row for row in ROUTES if row.body and not row.is_csv]
WITH_TWO: Final = [row for row in ROUTES if {"variant_id", "image_id"} & {*row.parameters[1:]}]
PATHS: Final = sorted({row.path for row in ROWS})


@pytest.fixture(scope="module")
async def cast(catalog: Catalog) -> Cast:
    return await new_cast(catalog)


@pytest.fixture(scope="module")
def app(catalog: Catalog) -> FastAPI:
    """Return the app as it is served, not running: its routes are read."""
    return build_app(catalog.settings, keys=StaticKeys(new_key()))


def first_granted(row: Row) -> Actor:
    wanted = (Actor.SELLER, Actor.CUSTOMER, Actor.ADMIN, Actor.SERVICE, Actor.USER_SERVICE)
    return next(actor for actor in wanted if isinstance(row.answers[actor], Granted))


async def contents(catalog: Catalog) -> list[Any]:
    """Return what changes with any row of any table."""
    return [tuple(row) for row in await catalog.rows(_CONTENTS)]


def test_every_route_is_in_the_table(app: FastAPI) -> None:
    described = {
        (method.upper(), path)
        for path, operations in app.openapi()["paths"].items()
        for method in operations
    }
    hot = {
        (method, re.sub(r":\w+}", "}", route.path))
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described | hot == {(row.method, row.path) for row in ROWS}


def test_every_row_answers_every_caller() -> None:
    missing = {str(row): set(Actor) - set(row.answers) for row in ROWS}
    assert {row: actors for row, actors in missing.items() if actors} == {}
    assert len({str(row) for row in ROWS}) == len(ROWS)


def test_every_route_that_takes_json_is_tried_with_json(app: FastAPI) -> None:
    described = {
        (method.upper(), path)
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }
    hot = {("POST", "/internal/inventory/reserve")}
    assert described | hot == {(row.method, row.path) for row in WITH_JSON}


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_each_caller_is_answered_as_the_table_says(
    row: Row, catalog: Catalog, cast: Cast
) -> None:
    worlds = await _worlds(row, catalog)
    harmless = [a for a in Actor if row.is_safe or isinstance(row.answers[a], Refused)]
    before = await contents(catalog)
    found = {actor: await _tried(row, cast, actor, worlds[actor]) for actor in harmless}
    after = await contents(catalog)
    allowed = set(Actor) - set(harmless)
    found |= {actor: await _tried(row, cast, actor, worlds[actor]) for actor in allowed}
    assert {actor: flaws for actor, flaws in found.items() if flaws} == {}
    assert after == before


async def _worlds(row: Row, catalog: Catalog) -> Mapping[Actor, World]:
    """Return one world for all who change nothing and do not own another, else one for each."""
    shared = await row.world(catalog)
    own = [
        actor
        for actor in Actor
        if row.acts_on_own(actor) or (isinstance(row.answers[actor], Granted) and not row.is_safe)
    ]
    return dict.fromkeys(Actor, shared) | {actor: await row.world(catalog, actor) for actor in own}


async def _tried(row: Row, cast: Cast, actor: Actor, world: World) -> list[str]:
    headers, wanted = cast.headers(row, actor, world), row.answers[actor]
    answer = await row.send(world, headers)
    found = row.flaws(world, wanted, answer)
    if wanted == GONE and row.parameters:
        unknown = await row.send(world, headers, **_unknown(row))
        found += flaws_of_unknown(answer, unknown)
    return found


def _unknown(row: Row) -> dict[str, Any]:
    """Return ids of nothing for all of the path's parameters."""
    return {name: new_id() for name in row.parameters}


async def _granted(row: Row, catalog: Catalog, cast: Cast) -> tuple[World, Mapping[str, str]]:
    """Return fresh things, and the headers of somebody who may do this to them."""
    world = await row.world(catalog)
    return world, cast.headers(row, first_granted(row), world)


@pytest.mark.parametrize("row", WITH_IDS, ids=str)
async def test_an_unknown_id_is_not_found(row: Row, catalog: Catalog, cast: Cast) -> None:
    world, headers = await _granted(row, catalog, cast)
    before = await contents(catalog)
    for name in row.parameters:
        answer = await row.send(world, headers, **{name: new_id()})
        assert answer.status_code == row.unknown.get(name, 404), (name, answer.text)
    assert await contents(catalog) == before


@pytest.mark.parametrize("row", WITH_IDS, ids=str)
async def test_a_malformed_id_is_not_found(row: Row, catalog: Catalog, cast: Cast) -> None:
    world, headers = await _granted(row, catalog, cast)
    before = await contents(catalog)
    for name in row.parameters:
        good = str(row.ids(world)[name])
        for bad in (*MALFORMED, good[:-1], f"{good}0", f"{{{good}}}", f"{good}%20"):
            answer = await row.send(world, headers, **{name: bad})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), bad
            unknown = await row.send(world, headers, **_unknown(row))
            assert unknown.status_code != 404 or members(answer) == members(unknown)
    assert await contents(catalog) == before


@pytest.mark.parametrize("row", WITH_TWO, ids=str)
async def test_a_part_of_another_product_is_not_found(
    row: Row, catalog: Catalog, cast: Cast
) -> None:
    world, headers = await _granted(row, catalog, cast)
    other = await row.world(catalog)
    before = await contents(catalog)
    name = row.parameters[1]
    for caller in (headers, cast.headers(row, Actor.ADMIN, world)):
        answer = await row.send(world, caller, **{name: other.ids[name]})
        assert row.flaws(other, GONE, answer) == []
    assert await contents(catalog) == before


@pytest.mark.parametrize("path", PATHS)
async def test_another_method_is_told_which_there_are(path: str, catalog: Catalog) -> None:
    rows = [row for row in ROUTES if row.path == path]
    world = await rows[0].world(catalog)
    own = {row.method for row in rows}
    for method in set(METHODS) - own:
        answer = await replace(rows[0], method=method, body=None).send(world, {})
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), method
        told = {each.strip() for each in answer.headers["allow"].split(",")}
        assert told == own | ({"HEAD"} if "GET" in own else set()), (method, told)


@pytest.mark.parametrize("row", WITH_JSON, ids=str)
async def test_only_json_is_taken(row: Row, catalog: Catalog, cast: Cast) -> None:
    world, headers = await _granted(row, catalog, cast)
    before = await contents(catalog)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""):
        answer = await row.send(world, {**headers, "Content-Type": kind})
        assert row.flaws(world, Refused(415, "unsupported_media_type"), answer) == [], kind
    assert await contents(catalog) == before


async def test_only_csv_is_imported(catalog: Catalog, cast: Cast) -> None:
    row = next(row for row in ROUTES if row.is_csv)
    world, headers = await _granted(row, catalog, cast)
    before = await contents(catalog)
    for kind in ("application/json", "text/plain", ""):
        answer = await row.send(world, {**headers, "Content-Type": kind})
        assert row.flaws(world, Refused(415, "unsupported_media_type"), answer) == [], kind
    assert await contents(catalog) == before


@pytest.mark.parametrize("row", WITH_JSON, ids=str)
async def test_an_unknown_member_is_refused(row: Row, catalog: Catalog, cast: Cast) -> None:
    world, headers = await _granted(row, catalog, cast)
    before = await contents(catalog)
    body = {**_body(row, world), "surprise": world.secret}
    answer = await row.send(world, headers, body=body)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in said["errors"]] == ["/surprise"]
    assert world.secret not in answer.text
    assert await contents(catalog) == before


@pytest.mark.parametrize("row", WITH_JSON, ids=str)
async def test_nothing_is_assigned_that_is_not_asked_for(
    row: Row, catalog: Catalog, cast: Cast, app: FastAPI
) -> None:
    world, headers = await _granted(row, catalog, cast)
    before = await contents(catalog)
    taken = taken_by(app.openapi(), row.method, row.path) | UNDOCUMENTED.get(row.path, set())
    for body, pointer in widened(_body(row, world), taken):
        answer = await row.send(world, headers, body=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), pointer
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert await contents(catalog) == before


@pytest.mark.parametrize("row", WITH_JSON, ids=str)
async def test_who_may_not_is_told_so_whatever_the_body_holds(
    row: Row, catalog: Catalog, cast: Cast
) -> None:
    world = await row.world(catalog)
    for actor in (Actor.ANONYMOUS, Actor.EXPIRED, Actor.GUEST):
        answer = await row.send(
            world, cast.headers(row, actor, world), body={"surprise": world.secret}
        )
        assert row.flaws(world, row.answers[actor], answer) == []


@pytest.mark.parametrize("row", WITH_JSON, ids=str)
async def test_a_body_of_another_shape_is_refused(row: Row, catalog: Catalog, cast: Cast) -> None:
    world, headers = await _granted(row, catalog, cast)
    before = await contents(catalog)
    for body in ([], [_body(row, world)], "text", 1, True):
        answer = await row.send(world, headers, body=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), body
    assert await contents(catalog) == before


def _body(row: Row, world: World) -> dict[str, Any]:
    assert row.body is not None
    return dict(row.body(world))
