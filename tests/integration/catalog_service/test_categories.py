"""The category tree over HTTP: shown with its tag, changed without cycles."""

import asyncio
from typing import Any

import httpx2
import pytest

from catalog_service.api.categories import TREE
from catalog_service.models.categories import MAX_DEPTH
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.waiting import eventually

UNKNOWN = "01900000-0000-7000-8000-000000000000"
PATH = "/api/categories"


def unique(name: str = "Kurtas") -> str:
    return f"{name} {new_id().hex[-10:]}"


async def create(catalog: Catalog, **body: Any) -> httpx2.Response:
    given = {"name": unique()} | body
    return await catalog.client.post(PATH, json=given, headers=catalog.bearer(Role.ADMIN))


async def created(catalog: Catalog, **body: Any) -> dict[str, Any]:
    answer = await create(catalog, **body)
    assert answer.status_code == 201, answer.text
    category: dict[str, Any] = answer.json()
    return category


async def move(
    catalog: Catalog, category_id: str, parent_id: str | None, **body: Any
) -> httpx2.Response:
    given = {"parentId": parent_id} | body
    return await catalog.client.post(
        f"{PATH}/{category_id}/move", json=given, headers=catalog.bearer(Role.ADMIN)
    )


async def put(catalog: Catalog, category_id: str, **body: Any) -> httpx2.Response:
    return await catalog.client.put(
        f"{PATH}/{category_id}", json=body, headers=catalog.bearer(Role.ADMIN)
    )


async def delete(catalog: Catalog, category_id: str) -> httpx2.Response:
    return await catalog.client.delete(f"{PATH}/{category_id}", headers=catalog.bearer(Role.ADMIN))


async def chain(catalog: Catalog, length: int) -> list[str]:
    """Return the ids of categories each below the one before it."""
    ids: list[str] = []
    for _ in range(length):
        ids.append((await created(catalog, parentId=ids[-1] if ids else None))["id"])
    return ids


def flat(branches: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for branch in branches:
        found |= {branch["id"]: branch} | flat(branch["children"])
    return found


async def shown(catalog: Catalog) -> dict[str, dict[str, Any]]:
    return flat((await catalog.client.get(PATH)).json()["items"])


async def test_a_new_category_is_in_the_tree_at_once(catalog: Catalog) -> None:
    await shown(catalog)
    root = await created(catalog, position=3)
    child = await created(catalog, parentId=root["id"])
    assert root["position"] == 3
    assert root["slug"].startswith("kurtas-")
    tree = await shown(catalog)
    assert [each["id"] for each in tree[root["id"]]["children"]] == [child["id"]]


async def test_another_process_sees_the_change_within_a_second(open_catalog: OpenCatalog) -> None:
    here, there = await open_catalog(), await open_catalog()

    async def is_remembered() -> bool:
        await shown(there)
        return there.deps.announcements.categories.peek(TREE)[0]

    await eventually(is_remembered)
    root = await created(here)

    async def is_seen() -> bool:
        return root["id"] in await shown(there)

    await eventually(is_seen, timeout_s=1)


async def test_the_tree_is_answered_304_while_it_is_the_same(catalog: Catalog) -> None:
    tag = (await catalog.client.get(PATH)).headers["etag"]
    again = await catalog.client.get(PATH, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await created(catalog)
    changed = await catalog.client.get(PATH, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_the_tree_is_shown_while_redis_is_away(open_catalog: OpenCatalog) -> None:
    catalog = await open_catalog(redis_url="redis://127.0.0.1:1/0")
    assert (await catalog.client.get(PATH)).status_code == 200


@pytest.mark.parametrize("role", [Role.GUEST, Role.CUSTOMER, Role.SELLER])
async def test_only_administrators_change_the_tree(catalog: Catalog, role: Role) -> None:
    category_id = await catalog.category()
    headers = catalog.bearer(role)
    answers = [
        await catalog.client.post(PATH, json={"name": unique()}, headers=headers),
        await catalog.client.put(f"{PATH}/{category_id}", json={"name": "x"}, headers=headers),
        await catalog.client.delete(f"{PATH}/{category_id}", headers=headers),
        await catalog.client.post(
            f"{PATH}/{category_id}/move", json={"parentId": None}, headers=headers
        ),
    ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(403, "role_not_allowed")}


async def test_without_a_token_nothing_changes(catalog: Catalog) -> None:
    path = f"{PATH}/{await catalog.category()}"
    answers = [
        await catalog.client.post(PATH, json={"name": unique()}),
        await catalog.client.put(path, json={"name": "x"}),
        await catalog.client.delete(path),
        await catalog.client.post(f"{path}/move", json={"parentId": None}),
    ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(401, "auth_required")}


@pytest.mark.parametrize("category_id", [UNKNOWN, "x", "123"])
async def test_what_is_not_there_is_not_found(catalog: Catalog, category_id: str) -> None:
    answers = [
        await put(catalog, category_id, name="x"),
        await move(catalog, category_id, None),
        await delete(catalog, category_id),
    ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(404, "not_found")}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "   "}, "/name"),
        ({"name": "x" * 121}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": None}, "/name"),
        ({"slug": "Not A Slug"}, "/slug"),
        ({"slug": "-x"}, "/slug"),
        ({"slug": "x\n"}, "/slug"),
        ({"position": -1}, "/position"),
        ({"position": "1"}, "/position"),
        ({"position": True}, "/position"),
        ({"position": 2**31}, "/position"),
        ({"parentId": "x"}, "/parentId"),
        ({"parentId": UNKNOWN}, "/parentId"),
        ({"id": UNKNOWN}, "/id"),
    ],
)
async def test_an_odd_category_is_refused_at_its_place(
    catalog: Catalog, body: dict[str, Any], pointer: str
) -> None:
    answer = await create(catalog, **body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_siblings_have_different_names_whatever_their_case(catalog: Catalog) -> None:
    root, name = await created(catalog), unique("Shirts")
    await created(catalog, parentId=root["id"], name=name)
    answer = await create(catalog, parentId=root["id"], name=name.upper())
    assert (answer.status_code, answer.json()["code"]) == (409, "category_exists")
    elsewhere = await created(catalog, name=name)
    assert elsewhere["slug"].startswith("shirts-")


async def test_two_roots_have_different_names_too(catalog: Catalog) -> None:
    name = unique()
    await created(catalog, name=name)
    assert (await create(catalog, name=f" {name} ")).json()["code"] == "category_exists"


async def test_of_eight_equal_roots_at_once_one_is_made(open_catalog: OpenCatalog) -> None:
    here, there = await open_catalog(), await open_catalog()
    name = unique()
    answers = await asyncio.gather(*(create(each, name=name) for each in [here, there] * 4))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_slug_is_given_once(catalog: Catalog) -> None:
    slug = f"shirts-{new_id().hex}"
    await created(catalog, slug=slug)
    assert (await create(catalog, slug=slug)).json()["code"] == "category_exists"


@pytest.mark.parametrize(
    ("name", "beginning"), [("किताबें", "kitabem"), ("Straße", "strasse"), ("🪔", "category-")]
)
async def test_a_name_without_latin_letters_still_gets_a_slug(
    catalog: Catalog, name: str, beginning: str
) -> None:
    root = await created(catalog)
    category = await created(catalog, parentId=root["id"], name=name)
    assert category["slug"].startswith(beginning)


async def test_an_edit_keeps_what_it_leaves_out(catalog: Catalog) -> None:
    root = await created(catalog)
    child = await created(catalog, parentId=root["id"], position=4)
    answer = await put(catalog, child["id"], name=(name := unique("New")))
    assert answer.json() == child | {"name": name}
    assert (await shown(catalog))[child["id"]]["name"] == name


async def test_an_edit_can_move_and_makes_no_cycle_either(catalog: Catalog) -> None:
    parent, child = await chain(catalog, 2)
    cycle = await put(catalog, parent, name=unique(), parentId=child)
    assert (cycle.status_code, cycle.json()["code"]) == (409, "category_cycle")
    freed = await put(catalog, child, name=unique(), parentId=None)
    assert freed.json()["parentId"] is None


async def test_a_branch_moves_whole(catalog: Catalog) -> None:
    root, middle, leaf = await chain(catalog, 3)
    other = (await created(catalog))["id"]
    answer = await move(catalog, middle, other, position=2)
    assert (answer.json()["parentId"], answer.json()["position"]) == (other, 2)
    tree = await shown(catalog)
    assert tree[root]["children"] == []
    assert [each["id"] for each in tree[other]["children"]] == [middle]
    assert [each["id"] for each in tree[middle]["children"]] == [leaf]


@pytest.mark.parametrize("below", [0, 1, 2])
async def test_a_category_never_hangs_below_itself(catalog: Catalog, below: int) -> None:
    ids = await chain(catalog, 3)
    answer = await move(catalog, ids[0], ids[below])
    assert (answer.status_code, answer.json()["code"]) == (409, "category_cycle")
    assert set(ids) <= set(await shown(catalog))


@pytest.mark.parametrize("round_", range(3))
async def test_two_moves_at_once_make_no_circle(open_catalog: OpenCatalog, round_: int) -> None:
    here, there = await open_catalog(), await open_catalog()
    one, other = (await created(here))["id"], (await created(here))["id"]
    barrier = asyncio.Barrier(2)

    async def go(process: Catalog, category_id: str, parent_id: str) -> int:
        await barrier.wait()
        return (await move(process, category_id, parent_id)).status_code

    codes = await asyncio.gather(go(here, one, other), go(there, other, one))
    assert sorted(codes) == [200, 409]
    assert {one, other} <= set(await shown(here))
    del round_


async def test_a_move_needs_to_say_where_to(catalog: Catalog) -> None:
    path = f"{PATH}/{await catalog.category()}/move"
    answer = await catalog.client.post(path, json={}, headers=catalog.bearer(Role.ADMIN))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/parentId")


async def test_a_move_below_nothing_known_is_refused(catalog: Catalog) -> None:
    answer = await move(catalog, str(await catalog.category()), UNKNOWN)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "unknown_category")


async def test_a_move_beside_a_namesake_is_refused(catalog: Catalog) -> None:
    root, name = await created(catalog), unique()
    await created(catalog, parentId=root["id"], name=name)
    alone = await created(catalog, name=name)
    answer = await move(catalog, alone["id"], root["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "category_exists")


async def test_the_tree_is_not_deeper_than_its_limit(catalog: Catalog) -> None:
    ids = await chain(catalog, MAX_DEPTH)
    deeper = await create(catalog, parentId=ids[-1])
    assert (deeper.status_code, deeper.json()["code"]) == (422, "category_too_deep")
    top = (await created(catalog))["id"]
    moved = await move(catalog, ids[0], top)
    assert (moved.status_code, moved.json()["code"]) == (422, "category_too_deep")


async def test_only_an_empty_category_is_deleted(catalog: Catalog) -> None:
    root, child = await chain(catalog, 2)
    refused = await delete(catalog, root)
    assert (refused.status_code, refused.json()["code"]) == (409, "category_not_empty")
    assert [(await delete(catalog, each)).status_code for each in (child, root)] == [204, 204]
    assert not {root, child} & set(await shown(catalog))
    assert (await delete(catalog, root)).status_code == 404


async def test_a_category_with_products_stays(catalog: Catalog) -> None:
    category_id = await catalog.category()
    await catalog.variant(1, category_id=category_id)
    refused = await delete(catalog, str(category_id))
    assert (refused.status_code, refused.json()["code"]) == (409, "category_not_empty")


async def test_a_category_gets_no_child_while_it_is_deleted(open_catalog: OpenCatalog) -> None:
    here, there = await open_catalog(), await open_catalog()
    parent = (await created(here))["id"]
    gone, child = await asyncio.gather(delete(here, parent), create(there, parentId=parent))
    assert (gone.status_code, child.status_code) in {(204, 422), (409, 201)}
