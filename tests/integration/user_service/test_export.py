"""A person takes the data away: all of it, or none."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.integration.user_service.conftest import Open, Served
from tests.serving import free_port, served
from tests.shopper import ADDRESS, Shopper
from user_service.clients.exports import PARTS

PAGE = 2


@dataclass
class Neighbour:
    """All other services in one: what they hold of everybody, in pages of two."""

    url: str = ""
    held: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/internal/users/{user_id}/held/{part}", self._page)])

    async def _page(self, request: Request) -> Response:
        part = request.path_params["part"]
        self.asked[part] += 1
        assert request.headers["authorization"].startswith("Bearer ")
        if part in self.failing and self.asked[part] >= self.failing[part]:
            return Response(status_code=503)
        start = int(request.query_params.get("after", 0))
        items = self.held.get(part, [])[start : start + PAGE]
        following = str(start + PAGE) if len(items) == PAGE else None
        return JSONResponse({"items": items, "nextAfter": following})


@pytest.fixture
async def neighbour() -> AsyncIterator[Neighbour]:
    service = Neighbour()
    async with served(service.app(), free_port()) as service.url:
        yield service


@pytest.fixture
async def shop(open_app: Open, neighbour: Neighbour) -> Served:
    url = neighbour.url
    return await open_app(order_url=url, catalog_url=url, notification_url=url)


async def export(caller: Shopper, user_id: str) -> httpx2.Response:
    return await caller.request("GET", f"/api/users/{user_id}/export")


async def test_one_document_holds_all_of_it(shop: Served, neighbour: Neighbour) -> None:
    person = await shop.customer()
    path = f"/api/users/{person.user_id}/addresses"
    address = (await person.request("POST", path, json=ADDRESS)).json()
    neighbour.held = {part: [{"n": n} for n in range(2 * PAGE + 1)] for part in PARTS}

    answer = await export(person, person.user_id)

    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    disposition = f'attachment; filename="personal-data-{person.user_id}.json"'
    assert answer.headers["content-disposition"] == disposition
    assert {part: body[part] for part in PARTS} == neighbour.held
    assert body["format"] == "shop.personal-data/1"
    assert body["account"]["email"] == person.email
    assert body["addresses"] == [address]
    assert len(body["sessions"]) == 1


async def test_no_secret_is_handed_out(shop: Served) -> None:
    person = await shop.customer()

    text = (await export(person, person.user_id)).text

    assert "password123" not in text
    assert not any(word in text.lower() for word in ("hash", "bcrypt", "tokenhash", "jti"))
    assert person.token not in text
    assert person.refresh_token not in text


@pytest.mark.parametrize("part", list(PARTS))
async def test_with_a_part_away_nothing_is_handed_out(
    shop: Served, neighbour: Neighbour, part: str
) -> None:
    person = await shop.customer()
    neighbour.held = {part: [{"n": n} for n in range(5)]}
    neighbour.failing = {part: 2}

    answer = await export(person, person.user_id)

    assert answer.status_code == 503
    assert answer.json()["code"] == "export_incomplete"
    assert "retry-after" in answer.headers
    assert person.email not in answer.text


async def test_with_a_service_that_does_not_answer_nothing_is_handed_out(open_app: Open) -> None:
    app = await open_app(notification_url=f"http://127.0.0.1:{free_port()}")
    person = await app.customer()

    answer = await export(person, person.user_id)

    assert (answer.status_code, answer.json()["code"]) == (503, "export_incomplete")


async def test_an_administrator_exports_for_somebody_and_nobody_else_does(shop: Served) -> None:
    person, other, admin = await shop.customer(), await shop.customer(), await shop.admin()

    theirs = await export(admin, person.user_id)
    refused = await export(other, person.user_id)
    nobody = await export(shop.somebody(), person.user_id)

    assert theirs.json()["account"]["id"] == person.user_id
    assert (refused.status_code, nobody.status_code) == (404, 401)


async def test_an_erased_account_has_nothing_to_export(shop: Served, neighbour: Neighbour) -> None:
    person, admin = await shop.customer(), await shop.admin()
    await admin.request("DELETE", f"/api/users/{person.user_id}")

    answer = await export(admin, person.user_id)

    assert answer.status_code == 404
    assert not neighbour.asked
