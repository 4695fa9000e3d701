"""The order service, which alone knows what became of an order."""

from enum import StrEnum
from uuid import UUID

from common_lib.errors import Unavailable
from common_lib.http_client import HttpClient

_OK = 200


class Outcome(StrEnum):
    PLACED = "PLACED"
    ABORTED = "ABORTED"


class OutcomeUnknown(Unavailable):
    """The order service answered, but not with what became of the order."""

    code = "outcome_unknown"
    title = "The order service did not say what became of the order"


class OrderClient:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def abort(self, user_id: UUID, idempotency_key: str, reservation_id: UUID) -> Outcome:
        """Have the order aborted unless it was placed; either way the answer is final.

        Safe to repeat. Raises OutcomeUnknown for an answer that says neither, else Unavailable.
        """
        answer = await self._http.request(
            "POST",
            "/internal/orders/abort",
            json={
                "userId": str(user_id),
                "idempotencyKey": idempotency_key,
                "reservationId": str(reservation_id),
            },
            is_idempotent=True,
        )
        if answer.status != _OK:
            raise OutcomeUnknown(f"the order service answered {answer.status}")
        try:
            return Outcome(answer.json()["outcome"])
        except (ValueError, KeyError, TypeError):
            raise OutcomeUnknown from None

    async def close(self) -> None:
        await self._http.close()
