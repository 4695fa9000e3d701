"""Nothing that a schema takes is wider than the column it goes into.

Every member of every body either has its column here or says why it has none. That the columns are
those of the databases is what the test_schema.py of each service proves.
"""

import importlib
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin

import annotated_types as at
import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from catalog_service.models.base import Base as CatalogBase
from common_lib.money import MAX_MINOR, Money
from common_lib.text import ManyLines, OneLine, Shaped
from order_service.models.base import Base as OrderBase
from order_service.schemas.payments import ProviderMessage, ProviderPayment
from tests.unit.schemas.walking import Leaf, bodies, leaves_of
from user_service.models.base import Base as UserBase
from user_service.schemas.emails import MAX_EMAIL_LENGTH, canonical_email

PATTERNS: Any = importlib.import_module("re._parser")
SERVICES = {"catalog": CatalogBase, "order": OrderBase, "user": UserBase}
TABLES = {
    "CategoryIn": "catalog.categories",
    "CategoryEdit": "catalog.categories",
    "CategoryMove": "catalog.categories",
    "AttachIn": "catalog.product_images",
    "ProductCells": "catalog.products",
    "ProductIn": "catalog.products",
    "ProductEdit": "catalog.products",
    "StatusIn": "catalog.products",
    "VariantIn": "catalog.product_variants",
    "VariantAdd": "catalog.product_variants",
    "VariantChange": "catalog.product_variants",
    "VariantEdit": "catalog.product_variants",
    "VariantUpdate": "catalog.product_variants",
    "ReorderLevelIn": "catalog.inventory",
    "ReviewIn": "catalog.reviews",
    "VerdictIn": "catalog.reviews",
    "StoreIn": "catalog.sellers",
    "StoreEdit": "catalog.sellers",
    "StoreStatusIn": "catalog.sellers",
    "WishIn": "catalog.wishlists",
    "LineIn": "catalog.reservation_lines",
    "ReserveIn": "catalog.reservations",
    "PostalAddress": "user.addresses",
    "AddressRequest": "user.addresses",
    "RegisterRequest": "user.users",
    "ProfileRequest": "user.users",
    "RoleRequest": "user.users",
    "StatusRequest": "user.users",
    "OrderItemIn": "order.order_items",
    "PlaceOrder": "order.orders",
    "StatusPatch": "order.order_status_history",
    "NewCoupon": "order.coupons",
    "CouponPatch": "order.coupons",
    "StartPayment": "order.payments",
    "ProviderPayment": "order.payments",
}
COLUMNS = {
    "AdjustIn.delta": "catalog.stock_movements.quantity_delta",
    "AdjustIn.reason": "catalog.stock_movements.reason",
    "AdjustIn.kind": "catalog.stock_movements.kind",
    "AdjustIn.version": "catalog.inventory.version",
    "ReleaseIn.reason": "catalog.reservations.release_reason",
    "ReleaseIn.reservation_id": "catalog.reservations.id",
    "ConfirmIn.status": "catalog.reservations.status",
    "ConfirmIn.reservation_id": "catalog.reservations.id",
    "ReserveIn.reservation_id": "catalog.reservations.id",
    "PresignIn.size_bytes": "catalog.product_images.size_bytes",
    "VerdictIn.note": "catalog.reviews.moderation_note",
    **{
        f"{name}.{member}": f"catalog.inventory.{member}"
        for name in ("VariantIn", "VariantAdd")
        for member in ("quantity", "reorder_level")
    },
    **{f"{name}.version": "catalog.products.version" for name in ("VariantAdd", "VariantUpdate")},
    "AbortOrder.idempotency_key": "order.idempotency_keys.idempotency_key",
    "AbortOrder.reservation_id": "order.orders.reservation_id",
    "AbortOrder.user_id": "order.orders.user_id",
    "CancelOrder.reason": "order.order_status_history.note",
    "RefundPayment.amount": "order.returns_refunds.amount_minor",
    "RefundPayment.reason": "order.returns_refunds.reason",
    "StatusPatch.status": "order.order_status_history.to_status",
    "PlaceOrder.payment_token": "order.payments.provider_token",
    "PlaceOrder.expected_total": "order.orders.total_minor",
    "StartPayment.payment_method": "order.payments.method",
    "StartPayment.payment_token": "order.payments.provider_token",
    "ForgotRequest.email": "user.password_reset_requests.email",
    "ProviderMessage.id": "order.payment_webhook_events.event_id",
    "ProviderPayment.id": "order.payments.provider_payment_id",
}
# Members that no column holds, and why.
KEPT_NOWHERE = {
    "AttachIn.key": "must be an upload that is there, whose key the shop made itself",
    "AttachIn.url": "must be the address of such an upload",
    "PlaceOrder.address_id": "the address itself is kept",
    "PlaceOrder.shipping_address": "a document of its own members, in JSON",
    "LoginRequest.email": "looked up",
    "ProviderPayment.reference": "an id of the shop, or unknown",
    "ProviderPayment.amount": "compared with what was asked for",
    "ProviderPayment.currency": "compared with what was asked for",
    "ProviderPayment.status": "a word that is known, or ignored",
    "ProviderMessage.type": "a word that is known, or ignored",
    "ProviderMessage.data": "its own members",
    **{
        f"{name}.{member}": "judged with the header, and kept as that is"
        for name in ("KeyedRequest", "PlaceOrder", "StartPayment", "RefundPayment")
        for member in ("key_in_camel", "key_in_snake")
    },
}
SECRETS = re.compile(r"password|token|code$|recovery_code")
CARTS = re.compile(r"^(CartItemAdd|CartItemSet|CartMerge|CartTakeOver)\.")  # in Redis
NOT_KEPT_AS_WORDS = {"PresignIn.content_type"}


def leaves() -> list[Leaf]:
    models: list[type[BaseModel]] = [*bodies(), ProviderMessage, ProviderPayment]
    return [leaf for model in models for leaf in leaves_of(model)]


def column_of(place: str) -> sa.Column[Any] | None:
    """Return the column of a member; None for one that says why it has none."""
    model, _, member = place.partition(".")
    named = COLUMNS.get(place)
    if named is None and model in TABLES:
        named = f"{TABLES[model]}.{member}"
    if named is None:
        return None
    service, table, column = named.split(".")
    columns = SERVICES[service].metadata.tables[table].columns
    found = columns.get(column)
    return found if found is not None else columns.get(f"{column}_minor")


def is_excused(leaf: Leaf) -> bool:
    member = leaf.place.partition(".")[2]
    is_nested = issubclass(leaf.kind, BaseModel) and leaf.kind is not Money
    is_secret = bool(SECRETS.search(member)) and not leaf.place.startswith(
        ("NewCoupon", "CouponPatch")
    )
    return (
        leaf.kind is type(None)
        or is_nested
        or is_secret
        or leaf.place in KEPT_NOWHERE
        or bool(CARTS.search(leaf.place))
    )


def longest(leaf: Leaf) -> float:
    """Return how many characters a text may have; infinitely many without a limit."""
    return min(map(_longest, _flat(leaf.marks)), default=float("inf"))


def _longest(mark: Any) -> float:
    if isinstance(mark, OneLine | ManyLines):
        return mark.max_length
    if isinstance(mark, Shaped):
        width: float = PATTERNS.parse(mark.pattern).getwidth()[1]
        return min(width, mark.max_length or width)
    if isinstance(mark, at.MaxLen):
        return mark.max_length
    if getattr(mark, "func", None) is canonical_email:
        return MAX_EMAIL_LENGTH
    return float("inf")


def bounds(leaf: Leaf) -> tuple[float, float]:
    """Return the smallest and the largest number that a member takes."""
    low, high = -float("inf"), float("inf")
    for mark in _flat(leaf.marks):
        if isinstance(mark, at.Ge):
            low = max(low, float(str(mark.ge)))
        if isinstance(mark, at.Gt):
            low = max(low, float(str(mark.gt)) + 1)
        if isinstance(mark, at.Le):
            high = min(high, float(str(mark.le)))
        if isinstance(mark, at.Lt):
            high = min(high, float(str(mark.lt)) - 1)
    return low, high


def _flat(marks: Iterable[Any]) -> list[Any]:
    return [
        inner
        for mark in marks
        for inner in (mark.metadata if isinstance(mark, FieldInfo) else (mark,))
    ]


def largest(kind: sa.types.TypeEngine[Any]) -> int:
    if isinstance(kind, sa.BigInteger):
        return 2**63 - 1
    return 2**15 - 1 if isinstance(kind, sa.SmallInteger) else 2**31 - 1


def all_words() -> list[tuple[str, set[str]]]:
    """Return the members that take one of some words, each with its words."""
    return [
        (f"{model.__name__}.{name}", words)
        for model in bodies()
        for name, field in model.model_fields.items()
        if (words := set(words_of(field.annotation)))
    ]


def words_of(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (each.value for each in annotation)
    elif get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from words_of(part)


ALL = leaves()


@pytest.mark.parametrize("leaf", ALL, ids=lambda leaf: leaf.place)
def test_every_member_has_its_column_or_says_why_it_has_none(leaf: Leaf) -> None:
    assert is_excused(leaf) or column_of(leaf.place) is not None


@pytest.mark.parametrize(
    "leaf",
    [leaf for leaf in ALL if leaf.kind is str and not is_excused(leaf)],
    ids=lambda leaf: leaf.place,
)
def test_no_text_is_longer_than_its_column(leaf: Leaf) -> None:
    column = column_of(leaf.place)

    assert column is not None
    if isinstance(column.type, sa.JSON):
        assert longest(leaf) < float("inf")
    elif isinstance(column.type, sa.Text):
        assert 4 * longest(leaf) <= 2**16 - 1  # counted in bytes
    else:
        assert isinstance(column.type, sa.String)
        assert longest(leaf) <= (column.type.length or 0)


@pytest.mark.parametrize(
    "leaf",
    [leaf for leaf in ALL if leaf.kind is int and not is_excused(leaf)],
    ids=lambda leaf: leaf.place,
)
def test_no_number_is_larger_than_its_column(leaf: Leaf) -> None:
    column = column_of(leaf.place)
    low, high = bounds(leaf)

    assert column is not None
    assert isinstance(column.type, sa.Integer)
    assert -largest(column.type) - 1 <= low
    assert high <= largest(column.type)


@pytest.mark.parametrize(
    "leaf",
    [leaf for leaf in ALL if leaf.kind is Money and not is_excused(leaf)],
    ids=lambda leaf: leaf.place,
)
def test_no_amount_is_larger_than_its_column(leaf: Leaf) -> None:
    column = column_of(leaf.place)

    assert column is not None
    assert isinstance(column.type, sa.BigInteger)
    assert largest(column.type) >= MAX_MINOR * 1000 * 100  # times the units and lines of an order


@pytest.mark.parametrize(
    ("place", "words"),
    [(place, words) for place, words in all_words() if place not in NOT_KEPT_AS_WORDS],
)
def test_no_word_is_unknown_to_its_column(place: str, words: set[str]) -> None:
    column = column_of(place)

    assert column is not None, place
    assert isinstance(column.type, sa.Enum)
    assert words <= set(column.type.enums)
