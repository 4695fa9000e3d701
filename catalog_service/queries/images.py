"""Pictures of products, and the objects in the bucket that are to go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.images import ImageRemoval
from catalog_service.models.products import Product, ProductImage
from common_lib.database import AnySession, WriteSession

# From the last one down: each row moves to a place that is free (positions are unique).
_MAKE_ROOM: Final = sa.text(
    "UPDATE product_images SET position = position + 1"
    " WHERE product_id = :product_id AND position >= :position ORDER BY position DESC"
)


@dataclass(frozen=True, slots=True)
class Gallery:
    """A product as its pictures' rules see it; the pictures stand in their order."""

    seller_id: UUID | None
    version: int
    images: Sequence[ProductImage]


async def gallery(session: AnySession, product_id: UUID) -> Gallery | None:
    select = sa.select(Product.seller_id, Product.version).where(Product.id == product_id)
    found = (await session.execute(select)).one_or_none()
    if found is None:
        return None
    return Gallery(found.seller_id, found.version, await images_of(session, product_id))


async def images_of(session: AnySession, product_id: UUID) -> Sequence[ProductImage]:
    select = (
        sa.select(ProductImage)
        .where(ProductImage.product_id == product_id)
        .order_by(ProductImage.position)
    )
    return (await session.scalars(select)).all()


async def make_room(session: WriteSession, product_id: UUID, position: int) -> None:
    """Move the pictures at this position and behind it by one. The product's row is locked."""
    await session.execute(_MAKE_ROOM, {"product_id": product_id.bytes, "position": position})


async def add_removal(session: WriteSession, key: str, due_at: datetime) -> None:
    """Have an object deleted at `due_at`; one that is to go already goes at the new time."""
    await session.merge(ImageRemoval(storage_key=key, due_at=due_at))
    await session.flush()


async def withdraw_removal(session: WriteSession, key: str, due_at: datetime) -> bool:
    """Take a removal back; False if it was begun already."""
    delete = sa.delete(ImageRemoval).where(
        ImageRemoval.storage_key == key, ImageRemoval.due_at == due_at
    )
    done = await session.execute(delete)
    return bool(cast("sa.CursorResult[Any]", done).rowcount)


async def claim_removals(
    session: WriteSession, *, at: datetime, lease_s: float, limit: int
) -> list[str]:
    """Return the keys that are due; they are left alone by others for `lease_s`."""
    select = (
        sa.select(ImageRemoval)
        .where(ImageRemoval.due_at <= at)
        .order_by(ImageRemoval.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    due = (await session.scalars(select)).all()
    for removal in due:
        removal.due_at = at + timedelta(seconds=lease_s)
    return [removal.storage_key for removal in due]


async def forget_removal(session: WriteSession, key: str) -> None:
    await session.execute(sa.delete(ImageRemoval).where(ImageRemoval.storage_key == key))
