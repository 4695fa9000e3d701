"""Remembering who bought what, as part of the move of a reservation.

Both run in the transaction that holds the reservation's row, so an order counts once however often
and in whatever order its events arrive. Locks, always in this sequence: counters by variant,
reservation, purchases, products by id, reviews.
"""

from dataclasses import replace
from uuid import UUID

from catalog_service.queries import purchases as queries
from catalog_service.queries.reviews import unverify
from common_lib.database import WriteSession


async def record(session: WriteSession, reservation_id: UUID, buyer_id: UUID | None = None) -> None:
    """Remember the purchases of a consumed reservation and add them to the products' totals.

    Safe to repeat. The buyer is whom the reservation names, unless given; without any there is
    nobody to remember.
    """
    basket = await queries.basket_of(session, reservation_id)
    user_id = buyer_id or (basket.user_id if basket else None)
    if basket is None or user_id is None:
        return
    if await queries.purchases_of(session, basket.order_id):
        return
    await queries.insert_purchases(session, [replace(basket, user_id=user_id)])
    await queries.add_sold(session, basket.units)


async def take_back(session: WriteSession, reservation_id: UUID) -> None:
    """Forget the purchases of a reservation that was consumed and is released. Safe to repeat.

    A review that rested on them alone is no longer a verified buyer's.
    """
    basket = await queries.basket_of(session, reservation_id)
    bought = await queries.purchases_of(session, basket.order_id) if basket else []
    if not bought:
        return
    order_id, user_id = bought[0].order_id, bought[0].user_id
    units = {purchase.product_id: purchase.quantity for purchase in bought}
    await queries.delete_purchases(session, order_id, user_id, units)
    await queries.add_sold(session, {product_id: -n for product_id, n in units.items()})
    await unverify(session, user_id, units)
