"""Stores over HTTP: applying, the public profile, one's own store, and what admins decide."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from catalog_service.models import SellerStatus
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog

UNKNOWN = "01900000-0000-7000-8000-000000000000"
PATH = "/api/sellers"
PUBLIC = {"id", "storeName", "slug", "description", "status", "createdAt"}


async def apply(
    catalog: Catalog, headers: dict[str, str] | None = None, **body: Any
) -> httpx2.Response:
    given = {"storeName": "Asha's Sarees"} | body
    caller = headers if headers is not None else catalog.bearer(Role.CUSTOMER)
    return await catalog.client.post(PATH, json=given, headers=caller)


async def decide(catalog: Catalog, seller_id: Any, status: Any) -> httpx2.Response:
    return await catalog.client.patch(
        f"{PATH}/{seller_id}/status", json={"status": status}, headers=catalog.bearer(Role.ADMIN)
    )


async def test_a_customer_applies_and_waits(catalog: Catalog) -> None:
    user_id = new_id()
    answer = await apply(
        catalog, catalog.bearer(Role.CUSTOMER, user_id), description="Since <b>1999</b>"
    )
    store = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{store['id']}"
    assert set(store) == PUBLIC | {"userId", "updatedAt"}
    assert (store["status"], store["userId"]) == ("PENDING", str(user_id))
    assert store["description"] == "Since <b>1999</b>"
    assert store["slug"].startswith("ashas-sarees-")


async def test_equal_names_get_different_slugs(catalog: Catalog) -> None:
    slugs = {(await apply(catalog, storeName="साड़ी घर")).json()["slug"] for _ in range(3)}
    assert len(slugs) == 3


async def test_a_second_application_conflicts(catalog: Catalog) -> None:
    headers = catalog.bearer(Role.CUSTOMER)
    assert (await apply(catalog, headers)).status_code == 201
    again = await apply(catalog, headers, storeName="Another")
    assert (again.status_code, again.json()["code"]) == (409, "seller_exists")


async def test_of_eight_applications_at_once_one_is_taken(open_catalog: OpenCatalog) -> None:
    here, there = await open_catalog(), await open_catalog()
    user_id = new_id()
    answers = await asyncio.gather(
        *(apply(each, each.bearer(Role.CUSTOMER, user_id)) for each in [here, there] * 4)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_guests_do_not_apply_and_nobody_without_a_token(catalog: Catalog) -> None:
    guest = await apply(catalog, catalog.bearer(Role.GUEST))
    assert (guest.status_code, guest.json()["code"]) == (403, "role_not_allowed")
    nobody = await apply(catalog, {})
    assert (nobody.status_code, nobody.json()["code"]) == (401, "auth_required")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"storeName": " "}, "/storeName"),
        ({"storeName": "x" * 121}, "/storeName"),
        ({"storeName": "two\nlines"}, "/storeName"),
        ({"storeName": 7}, "/storeName"),
        ({"storeName": None}, "/storeName"),
        ({"description": "x" * 5_001}, "/description"),
        ({"description": None}, "/description"),
        ({"status": "ACTIVE"}, "/status"),
        ({"userId": UNKNOWN}, "/userId"),
    ],
)
async def test_an_odd_application_is_refused_at_its_place(
    catalog: Catalog, body: dict[str, Any], pointer: str
) -> None:
    answer = await apply(catalog, **body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_everybody_sees_an_open_store_without_its_owner(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    for headers in ({}, catalog.bearer(Role.GUEST), catalog.bearer(Role.SELLER)):
        answer = await catalog.client.get(f"{PATH}/{seller_id}", headers=headers)
        assert (answer.status_code, set(answer.json())) == (200, PUBLIC)


@pytest.mark.parametrize("status", list(SellerStatus))
async def test_owner_and_administrators_see_a_store_in_any_state(
    catalog: Catalog, status: SellerStatus
) -> None:
    seller_id, user_id = await catalog.seller(status)
    for headers in (catalog.bearer(Role.CUSTOMER, user_id), catalog.bearer(Role.ADMIN)):
        store = (await catalog.client.get(f"{PATH}/{seller_id}", headers=headers)).json()
        assert (store["userId"], store["status"]) == (str(user_id), status.value)


@pytest.mark.parametrize("status", [SellerStatus.PENDING, SellerStatus.SUSPENDED])
async def test_nobody_else_sees_a_store_that_is_not_open(
    catalog: Catalog, status: SellerStatus
) -> None:
    seller_id, _ = await catalog.seller(status)
    for headers in ({}, catalog.bearer(Role.SELLER)):
        answer = await catalog.client.get(f"{PATH}/{seller_id}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("seller_id", [UNKNOWN, "x", "0", "%00"])
async def test_what_is_no_store_is_not_found(catalog: Catalog, seller_id: str) -> None:
    admin = catalog.bearer(Role.ADMIN)
    path = f"{PATH}/{seller_id}"
    answers = [
        await catalog.client.get(path),
        await catalog.client.put(path, json={"storeName": "x"}, headers=admin),
        await decide(catalog, seller_id, "ACTIVE"),
    ]
    assert {answer.status_code for answer in answers} == {404}


async def test_a_bad_token_is_refused_also_where_none_is_needed(catalog: Catalog) -> None:
    seller_id, _ = await catalog.seller()
    headers = {"Authorization": "Bearer nonsense"}
    answer = await catalog.client.get(f"{PATH}/{seller_id}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


@pytest.mark.parametrize("status", list(SellerStatus))
async def test_an_owner_edits_the_own_store_in_any_state(
    catalog: Catalog, status: SellerStatus
) -> None:
    seller_id, user_id = await catalog.seller(status)
    path, headers = f"{PATH}/{seller_id}", catalog.bearer(Role.CUSTOMER, user_id)
    before = (await catalog.client.get(path, headers=headers)).json()
    first = {"storeName": "New", "description": "Words"}
    await catalog.client.put(path, json=first, headers=headers)
    answer = await catalog.client.put(path, json={"storeName": "Newer"}, headers=headers)
    store = answer.json()
    assert answer.status_code == 200
    assert (store["storeName"], store["description"]) == ("Newer", "Words")
    assert (store["slug"], store["status"]) == (before["slug"], status.value)


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SELLER, Role.ADMIN])
async def test_nobody_edits_anothers_store(catalog: Catalog, role: Role) -> None:
    seller_id, user_id = await catalog.seller()
    path, change = f"{PATH}/{seller_id}", {"storeName": "Mine now"}
    answer = await catalog.client.put(path, json=change, headers=catalog.bearer(role))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await catalog.client.get(path)).json()["storeName"] == "Store"
    del user_id


async def test_an_owner_does_not_approve_the_own_store(catalog: Catalog) -> None:
    seller_id, user_id = await catalog.seller(SellerStatus.PENDING)
    path = f"{PATH}/{seller_id}"
    for role in (Role.CUSTOMER, Role.SELLER):
        headers = catalog.bearer(role, user_id)
        patched = await catalog.client.patch(
            f"{path}/status", json={"status": "ACTIVE"}, headers=headers
        )
        assert (patched.status_code, patched.json()["code"]) == (403, "role_not_allowed")
    put = await catalog.client.put(
        path, json={"storeName": "x", "status": "ACTIVE"}, headers=headers
    )
    assert put.status_code == 422
    assert (await catalog.client.get(path, headers=headers)).json()["status"] == "PENDING"


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("PENDING", "PENDING", 200),
        ("PENDING", "ACTIVE", 200),
        ("PENDING", "SUSPENDED", 200),
        ("ACTIVE", "PENDING", 409),
        ("ACTIVE", "ACTIVE", 200),
        ("ACTIVE", "SUSPENDED", 200),
        ("SUSPENDED", "PENDING", 409),
        ("SUSPENDED", "ACTIVE", 200),
        ("SUSPENDED", "SUSPENDED", 200),
    ],
)
async def test_a_store_moves_by_the_table(
    catalog: Catalog, before: str, after: str, code: int
) -> None:
    seller_id, _ = await catalog.seller(SellerStatus(before))
    answer = await decide(catalog, seller_id, after)
    assert answer.status_code == code
    shown = await catalog.client.get(f"{PATH}/{seller_id}", headers=catalog.bearer(Role.ADMIN))
    assert shown.json()["status"] == (after if code == 200 else before)
    if code == 409:
        assert answer.json()["code"] == "illegal_status_change"


@pytest.mark.parametrize("status", ["active", "DELETED", "", None, 1, True, ["ACTIVE"]])
async def test_a_status_that_is_none_is_refused(catalog: Catalog, status: Any) -> None:
    seller_id, _ = await catalog.seller(SellerStatus.PENDING)
    answer = await decide(catalog, seller_id, status)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/status")


async def test_of_two_decisions_at_once_both_are_answered(open_catalog: OpenCatalog) -> None:
    here, there = await open_catalog(), await open_catalog()
    seller_id, _ = await here.seller()
    answers = await asyncio.gather(
        *(
            decide(each, seller_id, status)
            for each, status in zip([here, there] * 4, ["ACTIVE", "SUSPENDED"] * 4, strict=True)
        )
    )
    assert {answer.status_code for answer in answers} == {200}


async def test_only_administrators_list_stores(catalog: Catalog) -> None:
    assert (await catalog.client.get(PATH)).status_code == 401
    for role in (Role.GUEST, Role.CUSTOMER, Role.SELLER):
        answer = await catalog.client.get(PATH, headers=catalog.bearer(role))
        assert (answer.status_code, answer.json()["code"]) == (403, "role_not_allowed")


async def test_stores_are_listed_by_status_page_by_page(catalog: Catalog) -> None:
    wanted = [str((await catalog.seller(SellerStatus.SUSPENDED))[0]) for _ in range(5)]
    await catalog.seller(SellerStatus.PENDING)
    headers, found = catalog.bearer(Role.ADMIN), list[str]()
    path = f"{PATH}?status=SUSPENDED&limit=2"
    while path and len(found) < 5:
        answer = await catalog.client.get(path, headers=headers)
        items = answer.json()["items"]
        assert {item["status"] for item in items} == {"SUSPENDED"}
        found += [item["id"] for item in items]
        link = answer.headers.get("link", "")
        assert bool(link) == (answer.json()["nextCursor"] is not None)
        path = link.partition(">")[0].lstrip("<")
        await catalog.seller(SellerStatus.SUSPENDED)  # one that comes later moves no page
    assert found[:5] == sorted(wanted, reverse=True)


@pytest.mark.parametrize(
    "query",
    ["status=NOPE", "limit=0", "limit=101", "limit=x", "cursor=x", "offset=10", "status="],
)
async def test_an_odd_list_is_refused(catalog: Catalog, query: str) -> None:
    answer = await catalog.client.get(f"{PATH}?{query}", headers=catalog.bearer(Role.ADMIN))
    assert answer.status_code == 422


async def test_another_service_asks_for_the_store_of_a_user(catalog: Catalog) -> None:
    user_id = UUID((await apply(catalog)).json()["userId"])
    answer = await catalog.client.get(
        f"/internal/sellers/by-user/{user_id}", headers=catalog.service()
    )
    assert answer.json()["status"] == "PENDING"
