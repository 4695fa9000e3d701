"""Asking the order service, and reading nothing into odd answers."""

from typing import Any

import pytest

from catalog_service.clients.orders import OrderClient, Outcome, OutcomeUnknown
from common_lib.http_client import Answer, HttpClient
from common_lib.ids import new_id


class FakeHttp(HttpClient):
    def __init__(self, answer: Answer) -> None:
        super().__init__("order-service", ["http://order.example"])
        self.answer = answer
        self.sent: list[tuple[str, str, Any]] = []

    async def request(self, method: str, path: str, **given: Any) -> Answer:
        self.sent.append((method, path, given["json"]))
        assert given["is_idempotent"]
        return self.answer


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_the_outcome_is_what_the_order_service_says(outcome: Outcome) -> None:
    http = FakeHttp(Answer(200, f'{{"outcome":"{outcome}"}}'.encode()))
    user_id, reservation_id = new_id(), new_id()
    assert await OrderClient(http).abort(user_id, "key", reservation_id) is outcome
    body = {
        "userId": str(user_id),
        "idempotencyKey": "key",
        "reservationId": str(reservation_id),
    }
    assert http.sent == [("POST", "/internal/orders/abort", body)]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, b"{}"),
        Answer(500, b""),
        Answer(200, b"no json"),
        Answer(200, b"[]"),
        Answer(200, b'{"outcome":"RUNNING"}'),
        Answer(200, b"{}"),
    ],
)
async def test_any_other_answer_decides_nothing(answer: Answer) -> None:
    with pytest.raises(OutcomeUnknown):
        await OrderClient(FakeHttp(answer)).abort(new_id(), "key", new_id())
