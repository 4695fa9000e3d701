"""One account for every way to write its address, and no word of its owner to anybody else."""

from tests.integration.user_service.conftest import Served
from tests.integration.user_service.mailed import events_of, forgot, token_of, verify
from tests.problems import assert_problem

UNICODE, KEPT = "anna{}@bücher.example", "anna{}@xn--bcher-kva.example"
PASSWORD = "password123"


async def account(app: Served, number: int) -> str:
    body = {"email": UNICODE.format(number), "password": PASSWORD, "fullName": "Anna Adler"}
    answer = await app.client.post("/api/users", json=body)
    assert answer.status_code == 201, answer.text
    user_id: str = answer.json()["id"]
    return user_id


async def test_an_address_abroad_is_one_account_however_it_is_typed(app: Served) -> None:
    user_id = await account(app, 1)
    spellings = [UNICODE.format(1), KEPT.format(1), "ANNA1@BÜCHER.example"]

    again = [
        await app.client.post(
            "/api/users", json={"email": email, "password": PASSWORD, "fullName": "Another"}
        )
        for email in spellings
    ]
    logins = [
        await app.client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        for email in spellings
    ]
    asked = await forgot(app, UNICODE.format(1))

    for answer in again:
        assert_problem(answer, 409, "email_taken")
    assert [answer.json()["user"]["id"] for answer in logins] == [user_id] * 3
    assert logins[0].json()["user"]["email"] == KEPT.format(1)
    assert asked.status_code == 202


async def test_an_administrator_finds_it_by_either_form(app: Served) -> None:
    user_id, admin = await account(app, 2), await app.admin()

    found = [
        await admin.request("GET", "/api/users", params={"email": email})
        for email in (UNICODE.format(2), KEPT.format(2), "anna2@xn--")
    ]

    assert [[user["id"] for user in answer.json()["items"]] for answer in found] == [[user_id]] * 3


async def test_mails_go_to_the_form_that_reaches_it_and_name_nobody_yet(app: Served) -> None:
    user_id = await account(app, 3)

    [welcome] = await events_of(app, user_id, "USER_REGISTERED")
    [link] = await events_of(app, user_id, "EMAIL_VERIFICATION_REQUESTED")

    assert [event["email"] for event in (welcome, link)] == [KEPT.format(3)] * 2
    assert [event["fullName"] for event in (welcome, link)] == ["", ""]


async def test_other_services_learn_the_name_once_the_address_is_confirmed(app: Served) -> None:
    user_id = await account(app, 4)
    path = f"/internal/users/{user_id}/contact"

    before = (await app.client.get(path, headers=app.service_headers())).json()
    await verify(app, await token_of(app, user_id, "EMAIL_VERIFICATION_REQUESTED"))
    after = (await app.client.get(path, headers=app.service_headers())).json()

    assert (before["fullName"], after["fullName"]) == ("", "Anna Adler")
    assert before["email"] == after["email"] == KEPT.format(4)
