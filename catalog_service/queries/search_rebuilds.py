"""Rebuilds of a search index: asked for, leased by one worker at a time, carried on."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.products import Product
from catalog_service.models.search import RebuildStatus, SearchRebuild, SearchTarget
from common_lib.clock import now
from common_lib.database import AnySession, WriteSession
from common_lib.ids import new_id

_OPEN: Final = (RebuildStatus.QUEUED, RebuildStatus.RUNNING)


async def request(session: WriteSession, target: SearchTarget, *, unless_open: bool) -> None:
    """Ask for a rebuild; with `unless_open`, only if none of this index waits or runs."""
    if unless_open and await _is_open(session, target):
        return
    session.add(SearchRebuild(id=new_id(), target=target))
    await session.flush()


async def _is_open(session: WriteSession, target: SearchTarget) -> bool:
    select = sa.select(SearchRebuild.id).where(
        SearchRebuild.target == target, SearchRebuild.status.in_(_OPEN)
    )
    return (await session.execute(select)).first() is not None


async def lease_next(
    session: WriteSession, targets: Sequence[SearchTarget], *, seconds: float
) -> SearchRebuild | None:
    """Return a rebuild nobody is at, leased for some seconds; the one under way goes first."""
    at = now()
    select = (
        sa.select(SearchRebuild)
        .where(
            SearchRebuild.status.in_(_OPEN),
            SearchRebuild.target.in_(targets),
            sa.or_(SearchRebuild.lease_until.is_(None), SearchRebuild.lease_until < at),
        )
        .order_by(SearchRebuild.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = (await session.scalars(select)).first()
    if found is not None:
        found.lease_until = at + timedelta(seconds=seconds)
        found.updated_at = at
        await session.flush()
    return found


async def lock(session: WriteSession, rebuild_id: UUID) -> SearchRebuild:
    select = sa.select(SearchRebuild).where(SearchRebuild.id == rebuild_id).with_for_update()
    return (await session.scalars(select)).one()


async def indexes_being_made(session: AnySession) -> Sequence[str]:
    """Return the names of Elasticsearch's indexes that are filled but not yet searched."""
    select = sa.select(SearchRebuild.index_name).where(
        SearchRebuild.status == RebuildStatus.RUNNING, SearchRebuild.index_name.is_not(None)
    )
    return [name for name in await session.scalars(select) if name]


async def product_count(session: AnySession) -> int:
    return (await session.execute(sa.select(sa.func.count()).select_from(Product))).scalar_one()


async def next_products(session: AnySession, after: UUID | None, *, limit: int) -> Sequence[UUID]:
    """Return the ids of the products that follow, in their order."""
    select = sa.select(Product.id).order_by(Product.id).limit(limit)
    if after is not None:
        select = select.where(Product.id > after)
    return (await session.scalars(select)).all()


async def forget_unused_words(session: WriteSession) -> None:
    """Delete the words that stand in no document any more."""
    await session.execute(
        sa.text("DELETE FROM search_words WHERE name_count <= 0 AND text_count <= 0")
    )


async def microseconds(session: AnySession) -> int:
    """Return the database's clock in microseconds, which grows from one read to the next."""
    select = sa.text("SELECT CAST(1000000 * UNIX_TIMESTAMP(SYSDATE(6)) AS SIGNED)")
    return int((await session.execute(select)).scalar_one())
