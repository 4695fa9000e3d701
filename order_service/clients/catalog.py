"""What the order service asks of the catalog: prices, stock, and whose goods they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from common_lib.admission import Overloaded
from common_lib.awaited import NobodyWaits
from common_lib.clock import now
from common_lib.errors import Conflict, DomainError, FieldError, Rejected, Unavailable
from common_lib.http_client import Answer, HttpClient
from common_lib.idempotency import IdempotencyKeyReused
from common_lib.money import Money
from order_service.models.records import Line, Reservation, ReservedLine

_OK: Final = 200
_NOT_FOUND: Final = 404
# What the catalog answers where it did not begin.
_NOT_BEGUN: Final = frozenset({Overloaded.code, NobodyWaits.code})
_SELLER_KNOWN_FOR: Final = timedelta(seconds=60)


class InsufficientStock(Conflict):
    code = "insufficient_stock"
    title = "There is not enough stock"


class UnknownVariant(Rejected):
    code = "unknown_variant"
    title = "A variant is not sold here, or not now"


class ReservationClosed(Conflict):
    """The reservation of this idempotency key was given back: the attempt is over."""

    code = "reservation_closed"
    title = "The stock held for this idempotency key was given back"


@dataclass(frozen=True, slots=True)
class Quote:
    """A variant as it would be sold now."""

    variant_id: UUID
    product_id: UUID
    sku: str
    name: str
    unit_price: Money
    available: int


class Catalog:
    """Calls to the catalog service; every one raises Unavailable when no answer comes."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._sellers: dict[UUID, tuple[datetime, UUID]] = {}

    async def quote(self, lines: Sequence[Line]) -> dict[UUID, Quote]:
        """Return prices and stock of what is on sale; other variants are left out."""
        body = {"items": _items(lines)}
        answer = await self._http.request(
            "POST", "/internal/products/quote", json=body, is_idempotent=True
        )
        if answer.status != _OK:
            raise _error_of(answer)
        quotes = [quote_of(entry) for entry in answer.json()["items"] if entry["isActive"]]
        return {quote.variant_id: quote for quote in quotes}

    async def reserve(
        self,
        *,
        reservation_id: UUID,
        order_id: UUID,
        fingerprint: bytes,
        user_id: UUID,
        idempotency_key: str,
        lines: Sequence[Line],
    ) -> Reservation:
        """Hold all lines or none, at today's prices; repeating it is safe.

        Raises InsufficientStock, UnknownVariant, IdempotencyKeyReused or ReservationClosed.
        """
        body = {
            "reservationId": str(reservation_id),
            "orderId": str(order_id),
            "fingerprint": fingerprint.hex(),
            "userId": str(user_id),
            "idempotencyKey": idempotency_key,
            "items": _items(lines),
        }
        answer = await self._http.request(
            "POST", "/internal/inventory/reserve", json=body, is_idempotent=True
        )
        if answer.status != _OK:
            raise _error_of(answer)
        return _reservation(answer.json())

    async def release(self, reservation_id: UUID, reason: str) -> None:
        """Give a reservation back; a second time changes nothing."""
        body = {"reservationId": str(reservation_id), "reason": reason}
        answer = await self._http.request(
            "POST", "/internal/inventory/release", json=body, is_idempotent=True
        )
        if answer.status not in (_OK, _NOT_FOUND):
            raise _error_of(answer)

    async def seller_of(self, user_id: UUID) -> UUID | None:
        """Return the id of the user's store, kept for a minute; None where there is none.

        That there is none is not kept: a store may be approved at any moment, and anybody may ask.
        """
        known = self._sellers.get(user_id)
        if known is not None and known[0] > now():
            return known[1]
        answer = await self._http.request(
            "GET", f"/internal/sellers/by-user/{user_id}", is_idempotent=True
        )
        if answer.status not in (_OK, _NOT_FOUND):
            raise _error_of(answer)
        if answer.status == _NOT_FOUND:
            return None
        seller_id = UUID(answer.json()["id"])
        self._sellers[user_id] = (now() + _SELLER_KNOWN_FOR, seller_id)
        return seller_id


def _items(lines: Sequence[Line]) -> list[dict[str, object]]:
    return [{"variantId": str(line.variant_id), "quantity": line.quantity} for line in lines]


def quote_of(entry: Mapping[str, Any]) -> Quote:
    """Return the quote that a JSON document tells of."""
    return Quote(
        variant_id=UUID(entry["variantId"]),
        product_id=UUID(entry["productId"]),
        sku=entry["sku"],
        name=entry["name"],
        unit_price=Money.model_validate(entry["unitPrice"]),
        available=entry["available"],
    )


def _reservation(body: Mapping[str, Any]) -> Reservation:
    lines = tuple(
        ReservedLine(
            variant_id=UUID(entry["variantId"]),
            product_id=UUID(entry["productId"]),
            sku=entry["sku"],
            name=entry["name"],
            seller_id=UUID(entry["sellerId"]) if entry.get("sellerId") else None,
            quantity=entry["quantity"],
            unit_price=Money.model_validate(entry["unitPrice"]),
        )
        for entry in body["items"]
    )
    return Reservation(UUID(body["reservationId"]), UUID(body["orderId"]), lines)


def _error_of(answer: Answer) -> DomainError:
    """Return the catalog's refusal in our own words."""
    if answer.status not in (400, 404, 409, 422):
        error = Unavailable("the catalog does not answer", retry_after_s=1)
        error.is_outcome_unknown = _code_of(answer) not in _NOT_BEGUN
        return error
    document = answer.json()
    code = document.get("code", "")
    if code == InsufficientStock.code:
        return InsufficientStock(items=document.get("items", []))
    if code == IdempotencyKeyReused.code:
        return IdempotencyKeyReused()
    if answer.status == 409:  # noqa: PLR2004
        return ReservationClosed()
    return UnknownVariant(errors=_field_errors(document), items=document.get("items", []))


def _code_of(answer: Answer) -> str:
    """Return the code of a problem document; what stands before a service may answer otherwise."""
    try:
        return str(answer.json()["code"])
    except (ValueError, TypeError, KeyError):
        return ""


def _field_errors(document: Mapping[str, Any]) -> list[FieldError]:
    return [
        FieldError(entry["pointer"], entry["code"], entry["detail"])
        for entry in document.get("errors", ())
    ]
