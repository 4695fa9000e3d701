"""The rush: every buyer orders once, with one idempotency key, until there is a final answer."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from shop.flashsale.buyers import Buyer
from shop.flashsale.plan import IN_FLIGHT, Measured

ADDRESS: Final = {
    "fullName": "Asha Rao",
    "phone": "+919812345678",
    "addressLine1": "12 MG Road",
    "city": "Bengaluru",
    "state": "Karnataka",
    "pincode": "560001",
    "country": "IN",
}
NO_ANSWER: Final = 0
_CREATED: Final = 201
_SOLD_OUT: Final = "insufficient_stock"
# Answers that leave the outcome open: the same key is sent again.
_TRY_AGAIN: Final = frozenset({NO_ANSWER, 429, 500, 502, 503, 504})
_IN_FLIGHT_CODE: Final = "request_in_flight"
_REQUEST_TIMEOUT_S: Final = 20.0
_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the gateway; status NO_ANSWER where the connection broke."""

    status: int
    code: str = ""
    order_id: UUID | None = None
    retry_after_s: float = 0.0

    @property
    def is_final(self) -> bool:
        return self.status not in _TRY_AGAIN and self.code != _IN_FLIGHT_CODE

    @property
    def is_sold(self) -> bool:
        return self.status == _CREATED

    @property
    def is_refused(self) -> bool:
        return self.code == _SOLD_OUT


@dataclass(slots=True)
class Tally:
    """What the crowd has come to so far; `placed` names each buyer's order."""

    placed: dict[UUID, UUID] = field(default_factory=dict)
    refused: set[UUID] = field(default_factory=set)
    failed: dict[UUID, Answer] = field(default_factory=dict)
    in_flight: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    repeats: Counter[str] = field(default_factory=Counter)
    started_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None

    @property
    def answered(self) -> int:
        return len(self.latencies_ms)

    @property
    def elapsed_s(self) -> float:
        return (self.ended_at or time.monotonic()) - self.started_at

    @property
    def measured(self) -> Measured:
        return Measured(self.elapsed_s, len(self.placed), self.latencies_ms)

    def note(self, buyer: Buyer, answer: Answer, latency_ms: float) -> None:
        self.latencies_ms.append(latency_ms)
        if answer.order_id is not None and answer.is_sold:
            self.placed[buyer.user_id] = answer.order_id
        elif answer.is_refused:
            self.refused.add(buyer.user_id)
        else:
            self.failed[buyer.user_id] = answer


class Crowd:
    """Buyers in front of one gateway, `in_flight` of them at the counter at a time."""

    def __init__(
        self, base_url: str, *, in_flight: int = IN_FLIGHT, patience_s: float = 120.0
    ) -> None:
        self._url = f"{base_url}/api/orders"
        self._in_flight = in_flight
        self._patience_s = patience_s
        self._client: Client | None = None
        self.tally = Tally()

    async def __aenter__(self) -> Self:
        self._client = (
            ClientBuilder()
            .http1_only()
            .no_proxy()
            .connect_timeout(timedelta(seconds=5))
            .max_connections(self._in_flight)
            .build()
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def buy(self, buyers: Sequence[Buyer], variant_id: UUID, quantity: int = 1) -> Tally:
        """Let all buyers go at once and return when each has a final answer, or no patience."""
        body = _order(variant_id, quantity)
        counter, doors = asyncio.Semaphore(self._in_flight), asyncio.Event()

        async def shop(buyer: Buyer) -> None:
            await doors.wait()
            async with counter:
                await self._shop(buyer, body)

        crowd = asyncio.gather(*(shop(buyer) for buyer in buyers))
        self.tally.started_at = time.monotonic()
        doors.set()
        await crowd
        self.tally.ended_at = time.monotonic()
        return self.tally

    async def _shop(self, buyer: Buyer, body: bytes) -> None:
        started = time.monotonic()
        self.tally.in_flight += 1
        try:
            answer = await self._until_final(buyer, body, started + self._patience_s)
        finally:
            self.tally.in_flight -= 1
        self.tally.note(buyer, answer, (time.monotonic() - started) * 1000)

    async def _until_final(self, buyer: Buyer, body: bytes, ends_at: float) -> Answer:
        attempts = 0
        while True:
            answer = await self._send(buyer, body)
            if answer.is_final or time.monotonic() > ends_at:
                return answer
            self.tally.repeats[answer.code or str(answer.status)] += 1
            pause_s = max(_PAUSES_S[min(attempts, len(_PAUSES_S) - 1)], answer.retry_after_s)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
            attempts += 1

    async def _send(self, buyer: Buyer, body: bytes) -> Answer:
        headers = {
            "authorization": f"Bearer {buyer.token}",
            "idempotency-key": buyer.key,
            "content-type": "application/json",
        }
        if self._client is None:
            raise RuntimeError("the crowd has not gathered yet: use `async with`")
        request = self._client.post(self._url).headers(headers).body_bytes(body)
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                response = await request.build().send()
                content = bytes(await response.bytes())
        except (PyreqwestError, TimeoutError):
            return Answer(NO_ANSWER, "no_answer")
        return _answer(response.status, content, dict(response.headers))


def _order(variant_id: UUID, quantity: int) -> bytes:
    return orjson.dumps(
        {
            "items": [{"variantId": str(variant_id), "quantity": quantity}],
            "shippingAddress": ADDRESS,
            "paymentMethod": "COD",
        }
    )


def _answer(status: int, content: bytes, headers: Mapping[str, str]) -> Answer:
    try:
        document: Mapping[str, Any] = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Answer(status)
    if status == _CREATED:
        return Answer(status, order_id=UUID(document["id"]))
    return Answer(status, str(document.get("code", "")), retry_after_s=_retry_after_s(headers))


def _retry_after_s(headers: Mapping[str, str]) -> float:
    value = headers.get("retry-after", "")
    return float(value) if value.isdecimal() else 0.0
