"""Links that people kept: a slug that was given up leads on, until another thing takes it."""

import asyncio
from typing import Any

import httpx2
import pytest

from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog

KINDS = ("products", "categories")


def fresh(word: str) -> str:
    return f"{word}-{new_id().hex[-12:]}"


class Things:
    """Products or categories, whose slugs an administrator changes."""

    def __init__(self, catalog: Catalog, kind: str) -> None:
        self.catalog = catalog
        self.kind = kind
        self.admin = catalog.bearer(Role.ADMIN)
        self.category: str | None = None

    async def send(self, method: str, tail: str = "", **arguments: Any) -> httpx2.Response:
        path = f"/api/{self.kind}{tail}"
        return await self.catalog.client.request(method, path, headers=self.admin, **arguments)

    async def body(self, slug: str) -> dict[str, Any]:
        if self.kind == "categories":
            return {"name": f"Name {slug}", "slug": slug}
        self.category = self.category or str(await self.catalog.category())
        return {"name": slug, "slug": slug, "description": "", "categoryId": self.category}

    async def create(self, slug: str) -> str:
        body = await self.body(slug)
        if self.kind == "products":
            price = {"amount": 100, "currency": "INR"}
            variant = {"sku": new_id().hex, "name": "M", "price": price, "quantity": 1}
            body |= {"status": "ACTIVE", "variants": [variant]}
        answer = await self.send("POST", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def rename(self, thing: str, slug: str) -> None:
        answer = await self.send("PUT", f"/{thing}", json=await self.body(slug))
        assert answer.status_code == 200, answer.text

    async def look(self, slug: str, method: str = "GET") -> httpx2.Response:
        path = f"/api/{self.kind}/slug/{slug}"
        return await self.catalog.client.request(method, path)

    async def leads_to(self, slug: str) -> str:
        """Return the id of what is found, following at most one redirect."""
        answer = await self.look(slug)
        if answer.status_code == 301:
            answer = await self.catalog.client.get(answer.headers["location"])
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])


@pytest.fixture(params=KINDS)
def things(request: pytest.FixtureRequest, catalog: Catalog) -> Things:
    return Things(catalog, request.param)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_old_slug_leads_to_the_new_one(things: Things, method: str) -> None:
    old, new = fresh("old"), fresh("new")
    thing = await things.create(old)
    assert (await things.look(old)).status_code == 200
    await things.rename(thing, new)
    answer = await things.look(old, method)
    assert (answer.status_code, answer.content) == (301, b"")
    assert answer.headers["location"] == f"/api/{things.kind}/slug/{new}"
    assert answer.headers["cache-control"] == "no-cache"
    assert (await things.look(new, method)).status_code == 200


async def test_a_slug_in_capitals_leads_to_the_present_one(things: Things) -> None:
    old, new = fresh("old"), fresh("new")
    thing = await things.create(old)
    typed = await things.look(old.upper())
    await things.rename(thing, new)
    former = await things.look(old.capitalize())
    assert (typed.status_code, former.status_code) == (301, 301)
    assert typed.headers["location"] == f"/api/{things.kind}/slug/{old}"
    assert former.headers["location"] == f"/api/{things.kind}/slug/{new}"


async def test_a_chain_of_changes_leads_directly_to_the_newest(things: Things) -> None:
    slugs = [fresh("chain") for _ in range(4)]
    thing = await things.create(slugs[0])
    for slug in slugs[1:]:
        await things.rename(thing, slug)
    for slug in slugs[:-1]:
        answer = await things.look(slug)
        assert answer.headers["location"].endswith(f"/{slugs[-1]}")
    assert await things.leads_to(slugs[-1]) == thing


async def test_a_slug_that_comes_back_to_its_thing_is_its_own(things: Things) -> None:
    one, other = fresh("one"), fresh("other")
    thing = await things.create(one)
    await things.rename(thing, other)
    await things.rename(thing, one)
    assert (await things.look(one)).status_code == 200
    assert (await things.look(other)).headers["location"].endswith(f"/{one}")


async def test_a_slug_that_another_takes_belongs_to_it_and_stays_with_it(things: Things) -> None:
    shared, first_new, second_new = fresh("shared"), fresh("first"), fresh("second")
    first = await things.create(shared)
    await things.rename(first, first_new)
    second = await things.create(shared)
    assert (await things.look(shared)).json()["id"] == second
    await things.rename(second, second_new)
    assert await things.leads_to(shared) == second
    third = await things.create(fresh("third"))
    await things.rename(third, shared)
    assert (await things.look(shared)).json()["id"] == third
    assert await things.leads_to(first_new) == first


async def test_a_change_that_is_refused_leads_nowhere(things: Things) -> None:
    taken, own = fresh("taken"), fresh("own")
    await things.create(taken)
    thing = await things.create(own)
    answer = await things.send("PUT", f"/{thing}", json=await things.body(taken))
    assert answer.status_code == 409
    assert (await things.look(own)).json()["id"] == thing


async def test_changes_at_once_leave_every_old_slug_leading_to_the_last(things: Things) -> None:
    first, others = fresh("first"), [fresh("race") for _ in range(5)]
    thing = await things.create(first)
    bodies = [await things.body(slug) for slug in others]
    answers = await asyncio.gather(*(things.send("PUT", f"/{thing}", json=body) for body in bodies))
    changed = [s for s, a in zip(others, answers, strict=True) if a.status_code == 200]
    assert changed
    for slug in (first, *changed):
        assert await things.leads_to(slug) == thing


async def test_slugs_of_products_and_of_categories_are_apart(catalog: Catalog) -> None:
    old, new = fresh("both"), fresh("moved")
    products, categories = (Things(catalog, kind) for kind in KINDS)
    await products.rename(await products.create(old), new)
    category = await categories.create(old)
    assert (await categories.look(old)).json()["id"] == category
    assert (await products.look(old)).headers["location"] == f"/api/products/slug/{new}"


async def test_an_old_slug_of_what_is_gone_leads_nowhere(catalog: Catalog) -> None:
    for kind in KINDS:
        things, old, new = Things(catalog, kind), fresh("old"), fresh("new")
        thing = await things.create(old)
        await things.rename(thing, new)
        assert (await things.send("DELETE", f"/{thing}")).status_code == 204
        for slug in (old, new):
            answer = await things.look(slug)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_old_slug_of_a_draft_leads_its_manager_alone(catalog: Catalog) -> None:
    things, old, new = Things(catalog, "products"), fresh("old"), fresh("new")
    thing = await things.create(old)
    await things.rename(thing, new)
    await things.send("PATCH", f"/{thing}/status", json={"status": "DRAFT"})
    assert (await things.look(old)).status_code == 404
    answer = await things.send("GET", f"/slug/{old}")
    assert answer.headers["location"] == f"/api/products/slug/{new}"
    assert answer.headers["cache-control"] == "private, no-store"


async def test_a_category_is_shown_by_its_slug_with_what_is_below_it(catalog: Catalog) -> None:
    things = Things(catalog, "categories")
    slug, below = fresh("root"), fresh("leaf")
    root = await things.create(slug)
    child = (await things.body(below)) | {"parentId": root}
    await things.send("POST", json=child)
    answer = await things.look(slug)
    assert [each["slug"] for each in answer.json()["children"]] == [below]
    known = {"If-None-Match": answer.headers["etag"]}
    again = await catalog.client.get(f"/api/categories/slug/{slug}", headers=known)
    assert again.status_code == 304


@pytest.mark.parametrize("slug", ["never-was", "UPPER", "a b", "%00", "x" * 300, "ä"])
async def test_a_slug_that_nothing_ever_had_is_not_found(things: Things, slug: str) -> None:
    answer = await things.look(slug)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
