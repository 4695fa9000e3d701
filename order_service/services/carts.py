"""Carts: quantities live in Redis, prices always come from the catalog."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import orjson
from redis.asyncio import Redis

from common_lib.clock import now, rfc3339
from common_lib.errors import FieldError, NotFound, Rejected
from common_lib.idempotency import IdempotencyKeyReused
from order_service.clients.catalog import Catalog, Quote, UnknownVariant, quote_of
from order_service.models.records import Line
from order_service.queries import carts as store
from order_service.queries.carts import (
    CartLimits,
    CartOutcomeUnknown,
    Edit,
    EditResult,
    StoredCart,
    Token,
)
from order_service.services.shapes import Document, money
from order_service.settings import Settings

_MOST_UNKNOWN: Final = 10_000


class CartFull(Rejected):
    code = "cart_full"
    title = "The cart holds as many lines as it may"


class QuantityTooLarge(Rejected):
    code = "quantity_too_large"
    title = "That is more of one variant than an order may hold"


class CartEmpty(Rejected):
    code = "cart_empty"
    title = "The cart is empty: send items, or fill it first"


class CartLineNotFound(NotFound):
    code = "cart_line_not_found"
    title = "The cart does not hold this variant"


class GuestTokenInvalid(Rejected):
    code = "guest_token_invalid"
    title = "This is not the access token of a guest whose session is alive"


Change = tuple[UUID, UUID, int]


class UnknownChanges:
    """The tokens of additions whose outcome nobody knows, for who asks the same again.

    In this process only, and for a while: a client that sends an Idempotency-Key needs no luck.
    """

    def __init__(self) -> None:
        self._tokens: OrderedDict[Change, tuple[float, Token]] = OrderedDict()

    def keep(self, change: Change, token: Token) -> None:
        self._tokens[change] = (time.monotonic() + token.ttl_s, token)
        while len(self._tokens) > _MOST_UNKNOWN:
            self._tokens.popitem(last=False)

    def take(self, change: Change) -> Token | None:
        until, token = self._tokens.pop(change, (0.0, None))
        return token if time.monotonic() < until else None


_REFUSALS: Final[Mapping[EditResult, type[Exception]]] = {
    EditResult.ABSENT: CartLineNotFound,
    EditResult.TOO_MANY_LINES: CartFull,
    EditResult.TOO_MANY_UNITS: QuantityTooLarge,
    EditResult.REUSED: IdempotencyKeyReused,
}


class Carts:
    """Use cases of the cart; all raise CartUnavailable while Redis is away.

    What changes a cart raises CartOutcomeUnknown where Redis did not say whether it did.
    """

    def __init__(self, *, redis: Redis, catalog: Catalog, settings: Settings) -> None:
        self._redis = redis
        self._catalog = catalog
        self._unknown = UnknownChanges()
        self._currency = settings.currency
        self._quote_ttl_s = settings.cart_quote_ttl_s
        self._limits = CartLimits(
            max_lines=settings.max_lines,
            max_quantity=settings.max_quantity,
            ttl_s=settings.cart_ttl_s,
        )

    async def view(self, user_id: UUID) -> Document:
        """Return the cart at today's prices; looking at it does not prolong its life."""
        cart = await store.read_cart(self._redis, user_id)
        return self._document(user_id, cart, await self._quotes(list(cart.quantities)))

    async def add(
        self, user_id: UUID, variant_id: UUID, quantity: int, *, key: str | None = None
    ) -> Document:
        """Add units of a variant that is on sale; with the same `key`, once.

        Raises UnknownVariant, CartFull, QuantityTooLarge or IdempotencyKeyReused, and
        CartOutcomeUnknown: to add the same after that without a key adds nothing twice either.
        """
        change = (user_id, variant_id, quantity)
        token = self._token(change, key)
        try:
            return await self._put(user_id, Edit.ADD, variant_id, quantity, token)
        except CartOutcomeUnknown:
            self._unknown.keep(change, token)
            raise

    async def set_quantity(
        self, user_id: UUID, variant_id: UUID, quantity: int, *, key: str | None = None
    ) -> Document:
        """Set a line's quantity; repeating it is safe. Raises CartLineNotFound besides."""
        token = self._token((user_id, variant_id, -quantity), key)
        return await self._put(user_id, Edit.SET, variant_id, quantity, token)

    async def remove(self, user_id: UUID, variant_id: UUID) -> Document:
        """Take a line out; repeating it is safe."""
        _, cart = await store.edit_cart(
            self._redis,
            user_id,
            Edit.REMOVE,
            Line(variant_id, 0),
            limits=self._limits,
            token=Token.fresh(),
        )
        return self._document(user_id, cart, await self._quotes(list(cart.quantities)))

    async def merge(self, user_id: UUID, guest_id: UUID) -> Document:
        """Take a guest's cart over, at today's prices, and empty it; repeating it is safe.

        Quantities add up to what an order may hold; `leftOut` names what found no line.
        """
        left_out, cart = await self._merged(user_id, guest_id)
        document = self._document(user_id, cart, await self._quotes(list(cart.quantities)))
        return {**document, "leftOut": [str(variant) for variant in left_out]}

    async def take_over(self, user_id: UUID, guest_id: UUID) -> None:
        """Do the same without asking the catalog for prices: looking at the cart will."""
        await self._merged(user_id, guest_id)

    async def clear(self, user_id: UUID) -> None:
        await store.delete_cart(self._redis, user_id)

    async def take_out(self, user_id: UUID, ordered: Sequence[Line]) -> None:
        """Take out what was ordered, and nothing else; never raises."""
        try:
            await store.take_out(self._redis, user_id, ordered)
        except (store.CartUnavailable, CartOutcomeUnknown):
            return

    async def content(self, user_id: UUID) -> list[Line]:
        """Return what the cart holds."""
        cart = await store.read_cart(self._redis, user_id)
        return [Line(variant, quantity) for variant, quantity in cart.quantities.items()]

    async def lines_to_order(self, user_id: UUID) -> list[Line]:
        """Do the same for an order. Raises CartEmpty."""
        lines = await self.content(user_id)
        if not lines:
            raise CartEmpty
        return lines

    async def forget_quotes(self, variants: Sequence[UUID]) -> None:
        """Reprice: drop the cached quotes of variants that changed."""
        await store.drop_quotes(self._redis, variants)

    async def _merged(self, user_id: UUID, guest_id: UUID) -> tuple[list[UUID], StoredCart]:
        if guest_id == user_id:
            return [], await store.read_cart(self._redis, user_id)
        return await store.merge_cart(
            self._redis, guest_id=guest_id, user_id=user_id, limits=self._limits
        )

    def _token(self, change: Change, key: str | None) -> Token:
        if key is not None:
            return Token(f"key:{key}", self._limits.ttl_s)
        return self._unknown.take(change) or Token.fresh()

    async def _put(
        self, user_id: UUID, edit: Edit, variant_id: UUID, quantity: int, token: Token
    ) -> Document:
        before = await store.read_cart(self._redis, user_id)
        quotes = await self._quotes([*before.quantities, variant_id])
        if variant_id not in quotes:
            raise UnknownVariant(
                errors=[FieldError("/variantId", UnknownVariant.code, UnknownVariant.title)]
            )
        result, cart = await store.edit_cart(
            self._redis, user_id, edit, Line(variant_id, quantity), limits=self._limits, token=token
        )
        if result is not EditResult.OK:
            raise _REFUSALS[result]
        return self._document(user_id, cart, quotes)

    async def _quotes(self, variants: Sequence[UUID]) -> dict[UUID, Quote]:
        """Return what is on sale: from the cache, the rest by one call to the catalog."""
        wanted = list(dict.fromkeys(variants))
        cached = await store.read_quotes(self._redis, wanted)
        quotes = {
            variant: quote_of(orjson.loads(found))
            for variant, found in zip(wanted, cached, strict=True)
            if found is not None
        }
        missing = [Line(variant, 1) for variant in wanted if variant not in quotes]
        if missing:
            fresh = await self._catalog.quote(missing)
            packed = {variant: _quote_bytes(quote) for variant, quote in fresh.items()}
            await store.store_quotes(self._redis, packed, self._quote_ttl_s)
            quotes |= fresh
        return quotes

    def _document(self, user_id: UUID, cart: StoredCart, quotes: Mapping[UUID, Quote]) -> Document:
        sold = [(quotes[v], n) for v, n in cart.quantities.items() if v in quotes]
        ttl_s = cart.ttl_s or self._limits.ttl_s
        return {
            "userId": str(user_id),
            "items": [_line_document(quote, quantity) for quote, quantity in sold],
            "unavailable": [str(v) for v in cart.quantities if v not in quotes],
            "subtotal": money(sum(q.unit_price.amount * n for q, n in sold), self._currency),
            "currency": self._currency,
            "version": cart.version,
            "expiresAt": rfc3339(now() + timedelta(seconds=ttl_s)),
        }


def _line_document(quote: Quote, quantity: int) -> Document:
    price = quote.unit_price
    return {
        "variantId": str(quote.variant_id),
        "productId": str(quote.product_id),
        "sku": quote.sku,
        "name": quote.name,
        "quantity": quantity,
        "unitPrice": money(price.amount, price.currency),
        "lineTotal": money(price.amount * quantity, price.currency),
        "available": quote.available,
    }


def _quote_bytes(quote: Quote) -> bytes:
    return orjson.dumps(
        {
            "variantId": quote.variant_id,
            "productId": quote.product_id,
            "sku": quote.sku,
            "name": quote.name,
            "unitPrice": quote.unit_price.model_dump(),
            "available": quote.available,
        }
    )
