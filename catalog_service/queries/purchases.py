"""Who bought what, and how many units of each product were sold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.purchases import Purchase
from common_lib.clock import now
from common_lib.database import AnySession, WriteSession, to_column

_BASKET: Final = sa.text(
    "SELECT r.order_id, r.user_id, l.product_id, SUM(l.quantity)"
    " FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id"
    " WHERE r.id = :id GROUP BY r.order_id, r.user_id, l.product_id ORDER BY l.product_id"
)
_INSERT: Final = sa.text(
    "INSERT INTO purchases (user_id, product_id, order_id, quantity, created_at)"
    " VALUES (:user_id, :product_id, :order_id, :quantity, :at)"
)
# By the whole key, one row at a time: a scan of a small table would wait for strangers' rows.
_DELETE: Final = sa.text(
    "DELETE FROM purchases"
    " WHERE user_id = :user_id AND product_id = :product_id AND order_id = :order_id"
)
# Not through the mapper, for it would move the product's version.
_ADD_SOLD: Final = sa.text("UPDATE products SET total_sold = total_sold + :sold WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Basket:
    """What one order holds: units by product, in the order of the products' ids."""

    order_id: UUID
    user_id: UUID | None
    units: Mapping[UUID, int]


async def basket_of(session: AnySession, reservation_id: UUID) -> Basket | None:
    """Return what a reservation is for; None where it has no lines."""
    rows = (await session.execute(_BASKET, {"id": reservation_id.bytes})).all()
    if not rows:
        return None
    order_id, user_id = rows[0][0], rows[0][1]
    return Basket(
        UUID(bytes=order_id),
        UUID(bytes=user_id) if user_id else None,
        {UUID(bytes=product_id): int(units) for _, _, product_id, units in rows},
    )


async def purchases_of(session: AnySession, order_id: UUID) -> list[Purchase]:
    """Return an order's purchases in the order of the products' ids."""
    select = sa.select(Purchase).where(Purchase.order_id == order_id).order_by(Purchase.product_id)
    return list((await session.scalars(select)).all())


async def insert_purchases(session: WriteSession, baskets: Sequence[Basket]) -> None:
    """Remember what was bought, each basket by its user."""
    at = to_column(now())
    rows = [
        {
            "user_id": basket.user_id.bytes,
            "product_id": product_id.bytes,
            "order_id": basket.order_id.bytes,
            "quantity": quantity,
            "at": at,
        }
        for basket in baskets
        if basket.user_id is not None
        for product_id, quantity in basket.units.items()
    ]
    await session.execute(_INSERT, rows)


async def delete_purchases(
    session: WriteSession, order_id: UUID, user_id: UUID, units: Mapping[UUID, int]
) -> None:
    rows = [
        {"user_id": user_id.bytes, "product_id": product_id.bytes, "order_id": order_id.bytes}
        for product_id in units
    ]
    await session.execute(_DELETE, rows)


async def add_sold(session: WriteSession, units: Mapping[UUID, int]) -> None:
    """Add to the products' totals, locking their rows in the order given (that of their ids)."""
    rows = [{"id": product_id.bytes, "sold": sold} for product_id, sold in units.items()]
    await session.execute(_ADD_SOLD, rows)


async def lock_purchase(session: WriteSession, user_id: UUID, product_id: UUID) -> bool:
    """Tell whether the user has bought the product; it is not taken back before the commit."""
    select = (
        sa.select(Purchase.order_id)
        .where(Purchase.user_id == user_id, Purchase.product_id == product_id)
        .with_hint(Purchase, "FORCE INDEX (PRIMARY)")
        .limit(1)
        .with_for_update(read=True)
    )
    return (await session.execute(select)).first() is not None
