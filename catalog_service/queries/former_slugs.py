"""Slugs that were given up: noted in the transaction that gives them up, forgotten when taken."""

from typing import Final
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.former_slugs import FormerSlug, SlugKind
from common_lib.clock import now
from common_lib.database import AnySession, WriteSession, to_column

_NOTE: Final = sa.text(
    "INSERT INTO former_slugs (kind, slug, target_id, created_at)"
    " VALUES (:kind, :slug, :target, :at)"
    " ON DUPLICATE KEY UPDATE target_id = VALUES(target_id), created_at = VALUES(created_at)"
)
_FORGET: Final = sa.text("DELETE FROM former_slugs WHERE kind = :kind AND slug = :slug")
_FORGET_ALL: Final = sa.text("DELETE FROM former_slugs WHERE kind = :kind AND target_id = :target")


async def note_change(
    session: WriteSession, kind: SlugKind, target_id: UUID, before: str, after: str
) -> None:
    """Let the slug before lead on; nothing where it stayed.

    To be called once the new slug is written: its unique key keeps others out until the commit.
    """
    if before == after:
        return
    await note_taken(session, kind, after)
    values = {"kind": kind.value, "slug": before, "target": target_id.bytes}
    await session.execute(_NOTE, {**values, "at": to_column(now())})


async def note_taken(session: WriteSession, kind: SlugKind, slug: str) -> None:
    """Let a slug belong to whoever has taken it now."""
    await session.execute(_FORGET, {"kind": kind.value, "slug": slug})


async def forget_target(session: WriteSession, kind: SlugKind, target_id: UUID) -> None:
    """Let the former slugs of something that was deleted lead nowhere."""
    await session.execute(_FORGET_ALL, {"kind": kind.value, "target": target_id.bytes})


async def former_owner(session: AnySession, kind: SlugKind, slug: str) -> UUID | None:
    """Return what had the slug last, where nothing has it now."""
    select = sa.select(FormerSlug.target_id).where(FormerSlug.kind == kind, FormerSlug.slug == slug)
    return (await session.execute(select)).scalar()
