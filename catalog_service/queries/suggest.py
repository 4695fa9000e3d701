"""Completing what is typed: words of the shop, and products that are called so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from catalog_service.models.search_text import stem_of
from common_lib.database import AnySession

# Of a beginning as short as one letter, no more words than these are compared.
_COMPARED: Final = 3_000


@dataclass(frozen=True, slots=True)
class KnownWord:
    word: str
    name_count: int


@dataclass(frozen=True, slots=True)
class NamedProduct:
    product_id: UUID
    name: str
    slug: str
    category_id: UUID


async def completions(session: AnySession, beginning: str, *, limit: int) -> list[KnownWord]:
    """Return the words of names that begin so, the commonest first."""
    select = sa.text(
        "SELECT word, name_count FROM (SELECT word, name_count FROM search_words"
        " WHERE word >= :word AND word < :end AND name_count > 0 LIMIT :compared) found"
        " ORDER BY name_count DESC, word LIMIT :row_limit"
    )
    values = {"word": beginning, "end": beginning + "~", "compared": _COMPARED}
    rows = await session.execute(select, {**values, "row_limit": limit})
    return [KnownWord(*row) for row in rows]


async def forms_of(session: AnySession, word: str, *, limit: int) -> list[KnownWord]:
    """Return the words of names that are other forms of this one, the commonest first."""
    select = sa.text(
        "SELECT word, name_count FROM search_words WHERE stem = :stem AND name_count > 0"
        " ORDER BY name_count DESC, word LIMIT :row_limit"
    )
    rows = await session.execute(select, {"stem": stem_of(word), "row_limit": limit})
    return [KnownWord(*row) for row in rows]


async def like_words(
    session: AnySession, patterns: Sequence[str], first: str | None, *, limit: int
) -> list[KnownWord]:
    """Return the words of names that fit one of the LIKE patterns, the commonest first.

    `first` narrows them to words that begin so, by the primary key.
    """
    tests = " OR ".join(f"word LIKE :p{n}" for n in range(len(patterns)))
    within = "word >= :first AND word < :end AND " if first else ""
    values: dict[str, Any] = {f"p{n}": pattern for n, pattern in enumerate(patterns)}
    if first:
        values |= {"first": first, "end": first + "~"}
    select = sa.text(
        "SELECT word, name_count FROM search_words"  # noqa: S608 - made of constants
        f" WHERE {within}name_count > 0 AND ({tests})"
        " ORDER BY name_count DESC, word LIMIT :row_limit"
    )
    rows = await session.execute(select, {**values, "row_limit": limit})
    return [KnownWord(*row) for row in rows]


async def products_matching(
    session: AnySession, expression: str, *, limit: int
) -> list[NamedProduct]:
    """Return the products that full text finds, those sold most first."""
    return await _named(
        session,
        "SELECT product_id, sold FROM search_documents"
        " WHERE MATCH (words) AGAINST (:expression IN BOOLEAN MODE)"
        " ORDER BY sold DESC, product_id DESC LIMIT :row_limit",
        {"expression": expression, "row_limit": limit},
    )


async def products_holding(session: AnySession, token: str, *, limit: int) -> list[NamedProduct]:
    """Return the products sold most that hold the token, by a walk: for a common word."""
    return await _named(
        session,
        "SELECT product_id, sold FROM search_documents WHERE INSTR(words, :token) > 0"
        " ORDER BY sold DESC, product_id DESC LIMIT :row_limit",
        {"token": f" {token}", "row_limit": limit},
    )


async def _named(session: AnySession, found: str, values: dict[str, Any]) -> list[NamedProduct]:
    select = sa.text(
        "SELECT p.id, p.name, p.slug, p.category_id"  # noqa: S608 - made of constants
        f" FROM ({found}) best JOIN products p ON p.id = best.product_id"
        " WHERE p.status = 'ACTIVE' ORDER BY best.sold DESC, p.id DESC"
    )
    rows = await session.execute(select, values)
    return [
        NamedProduct(UUID(bytes=id_), name, slug, UUID(bytes=category))
        for id_, name, slug, category in rows
    ]
