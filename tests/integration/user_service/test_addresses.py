"""Addresses: exactly one default as long as there is any."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from common_lib.database import is_duplicate_key
from tests.integration.user_service.conftest import Open, Served
from tests.shopper import ADDRESS, Shopper, at_once
from user_service.models import Address


async def add(person: Shopper, **changes: Any) -> Any:
    path = f"/api/users/{person.user_id}/addresses"
    return await person.request("POST", path, json=ADDRESS | changes)


async def listed(person: Shopper) -> list[dict[str, Any]]:
    answer = await person.request("GET", f"/api/users/{person.user_id}/addresses")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_the_first_address_is_the_default(app: Served) -> None:
    person = await app.customer()

    first, second = await add(person, isDefault=False), await add(person)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["isDefault"] is True
    assert second.json()["isDefault"] is False
    assert first.json()["country"] == "IN"
    assert first.headers["location"].endswith(first.json()["id"])


async def test_a_new_default_takes_the_mark_from_the_old_one(app: Served) -> None:
    person = await app.customer()
    first = (await add(person)).json()

    second = (await add(person, isDefault=True)).json()

    assert [(a["id"], a["isDefault"]) for a in await listed(person)] == [
        (second["id"], True),
        (first["id"], False),
    ]


async def test_defaults_that_come_at_once_leave_one_default(app: Served) -> None:
    person = await app.customer()

    answers = await at_once(*(add(person, isDefault=True) for _ in range(10)))

    assert [answer.status_code for answer in answers] == [201] * 10
    assert sum(address["isDefault"] for address in await listed(person)) == 1


async def test_first_addresses_that_come_at_once_leave_one_default(app: Served) -> None:
    person = await app.customer()

    await at_once(*(add(person) for _ in range(10)))

    assert sum(address["isDefault"] for address in await listed(person)) == 1


async def test_the_database_itself_refuses_a_second_default(app: Served) -> None:
    person = await app.customer()
    await add(person)
    second = (await add(person)).json()

    async def mark(session: Any) -> None:
        statement = sa.update(Address).where(Address.id == UUID(second["id"]))
        await session.execute(statement.values(is_default=True))

    with pytest.raises(IntegrityError) as refused:
        await app.database.transact(mark)
    assert is_duplicate_key(refused.value, "uq_addresses_default_for")


async def test_the_default_is_moved_by_name_and_moving_it_again_is_safe(app: Served) -> None:
    person = await app.customer()
    await add(person)
    second = (await add(person)).json()
    path = f"/api/users/{person.user_id}/addresses/{second['id']}/default"

    answers = [await person.request("PATCH", path) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [a["isDefault"] for a in await listed(person)] == [True, False]
    assert (await listed(person))[0]["id"] == second["id"]


async def test_switches_that_come_at_once_leave_one_default(app: Served) -> None:
    person = await app.customer()
    added = [(await add(person)).json()["id"] for _ in range(5)]
    base = f"/api/users/{person.user_id}/addresses"

    answers = await at_once(
        *(person.request("PATCH", f"{base}/{address}/default") for address in added)
    )

    assert [answer.status_code for answer in answers] == [200] * 5
    assert sum(address["isDefault"] for address in await listed(person)) == 1


async def test_removing_the_default_promotes_the_oldest_other(app: Served) -> None:
    person = await app.customer()
    first, second, third = [(await add(person)).json()["id"] for _ in range(3)]

    answer = await person.request("DELETE", f"/api/users/{person.user_id}/addresses/{first}")

    assert answer.status_code == 204
    assert [(a["id"], a["isDefault"]) for a in await listed(person)] == [
        (second, True),
        (third, False),
    ]


async def test_an_address_is_replaced_and_keeps_the_default_mark(app: Served) -> None:
    person = await app.customer()
    first = (await add(person, label="Home")).json()
    path = f"/api/users/{person.user_id}/addresses/{first['id']}"

    answer = await person.request("PUT", path, json=ADDRESS | {"city": "Pune"})

    assert answer.status_code == 200
    assert (answer.json()["city"], answer.json()["label"]) == ("Pune", None)
    assert answer.json()["isDefault"] is True


async def test_anothers_addresses_cannot_be_reached(app: Served) -> None:
    person, other = await app.customer(), await app.customer()
    theirs = (await add(other)).json()["id"]
    own = f"/api/users/{person.user_id}/addresses"
    foreign = f"/api/users/{other.user_id}/addresses"

    answers = [
        await person.request("GET", foreign),
        await person.request("POST", foreign, json=ADDRESS),
        await person.request("PUT", f"{foreign}/{theirs}", json=ADDRESS),
        await person.request("DELETE", f"{foreign}/{theirs}"),
        await person.request("PATCH", f"{foreign}/{theirs}/default"),
        await person.request("PUT", f"{own}/{theirs}", json=ADDRESS),
        await person.request("DELETE", f"{own}/{theirs}"),
        await person.request("PATCH", f"{own}/{theirs}/default"),
        await person.request("DELETE", f"{own}/not-an-id"),
        await person.request("POST", f"/api/users/{uuid4()}/addresses", json=ADDRESS),
    ]

    assert [answer.status_code for answer in answers] == [404] * 10
    assert len(await listed(other)) == 1


async def test_an_administrator_lists_but_does_not_add(app: Served) -> None:
    admin, person = await app.admin(), await app.customer()
    await add(person)
    path = f"/api/users/{person.user_id}/addresses"

    seen = await admin.request("GET", path)
    added = await admin.request("POST", path, json=ADDRESS)

    assert (seen.status_code, len(seen.json()["items"])) == (200, 1)
    assert added.status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"pincode": "56001"},
        {"pincode": "060001"},
        {"pincode": 560001},
        {"country": "Atlantis"},
        {"state": "\u200b"},
        {"phone": "none"},
        {"city": ""},
        {"city": "a\nb"},
        {"addressLine1": "x" * 201},
        {"isDefault": "true"},
        {"userId": str(uuid4())},
        {"id": str(uuid4())},
        {"fullName": None},
    ],
)
async def test_what_is_no_address_is_refused(app: Served, wrong: dict[str, Any]) -> None:
    person = await app.customer()

    answer = await add(person, **wrong)

    assert answer.status_code == 422, answer.text
    assert await listed(person) == []


@pytest.mark.parametrize(("given", "kept"), [("in", "IN"), ("India", "IN"), ("", "IN")])
async def test_a_country_is_kept_as_its_code(app: Served, given: str, kept: str) -> None:
    person = await app.customer()

    answer = await add(person, country=given)

    assert answer.json()["country"] == kept


async def test_an_address_abroad_is_kept_and_goes_into_an_order(app: Served) -> None:
    person = await app.customer()
    abroad = {"country": "AE", "state": "Dubai", "city": None, "pincode": "", "addressLine2": " "}

    added = await add(person, **abroad, phone="+971501234567")

    assert added.status_code == 201, added.text
    kept = (await listed(person))[0]
    assert (kept["state"], kept["city"], kept["pincode"]) == ("Dubai", None, None)
    assert kept["addressLine2"] is None


async def test_there_is_room_for_so_many_addresses_only(open_app: Open) -> None:
    app = await open_app(max_addresses=2)
    person = await app.customer()

    answers = await at_once(*(add(person) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]


async def test_another_service_gets_the_contact_with_the_address_as_a_snapshot(
    app: Served,
) -> None:
    person = await app.customer()
    address = (await add(person, label="Home")).json()
    path = f"/internal/users/{person.user_id}/contact"

    with_address = await app.client.get(
        path, params={"addressId": address["id"]}, headers=app.service_headers()
    )
    without = await app.client.get(path, headers=app.service_headers())

    assert with_address.json() == {
        "userId": person.user_id,
        "email": person.email,
        "fullName": "",  # the address is not confirmed
        "preferences": {},
        "address": ADDRESS | {"label": "Home", "addressLine2": None},
    }
    assert without.json()["address"] is None


async def test_a_foreign_or_unknown_address_gives_no_contact(app: Served) -> None:
    person, other = await app.customer(), await app.customer()
    theirs = (await add(other)).json()["id"]
    path = f"/internal/users/{person.user_id}/contact"

    statuses = [
        (
            await app.client.get(path, params={"addressId": wrong}, headers=app.service_headers())
        ).status_code
        for wrong in (theirs, str(uuid4()), "nonsense", "")
    ]

    assert statuses == [404] * 4


async def test_the_contact_is_for_services_only(app: Served) -> None:
    person, admin = await app.customer(), await app.admin()
    path = f"/internal/users/{person.user_id}/contact"

    anonymous = await app.client.get(path)
    own = await person.request("GET", path)
    boss = await admin.request("GET", path)

    assert [a.status_code for a in (anonymous, own, boss)] == [401] * 3


async def test_of_the_services_only_those_that_write_to_people_get_a_contact(app: Served) -> None:
    person = await app.customer()
    path = f"/internal/users/{person.user_id}/contact"

    for service in ("catalog-service", "user-service", "nobody"):
        refused = await app.client.get(path, headers=app.service_headers(service))
        assert (refused.status_code, refused.json()["code"]) == (403, "role_not_allowed")
