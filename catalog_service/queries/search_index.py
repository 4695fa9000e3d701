"""Keeping search's copies: what is behind, what a copy is made of, and writing it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
import sqlalchemy as sa

from catalog_service.models.categories import Category
from catalog_service.models.inventory import Inventory
from catalog_service.models.products import Product, ProductStatus, ProductVariant
from catalog_service.models.search import SearchTarget
from catalog_service.models.search_text import stem_of
from common_lib.clock import now
from common_lib.database import AnySession, WriteSession, to_column

# Longer ones are SKUs or the like, each in one product.
_LONGEST_NUMBER: Final = 6
_MARK: Final = sa.text(
    "INSERT INTO search_updates (target, product_id, due_at) VALUES (:target, :id, :at)"
    " ON DUPLICATE KEY UPDATE mark = mark + 1, attempts = 0, due_at = VALUES(due_at)"
)
_MARK_BRANCH: Final = sa.text(
    "INSERT INTO search_updates (target, product_id, due_at)"
    " WITH RECURSIVE branch (id) AS (SELECT id FROM categories WHERE id = :root"
    " UNION ALL SELECT c.id FROM categories c JOIN branch b ON c.parent_id = b.id)"
    " SELECT :target, p.id, :at FROM products p JOIN branch b ON p.category_id = b.id"
    " ON DUPLICATE KEY UPDATE mark = mark + 1, attempts = 0, due_at = VALUES(due_at)"
)
_BEHIND: Final = sa.text(
    "SELECT p.id FROM products p LEFT JOIN search_documents d ON d.product_id = p.id"
    " WHERE p.status = 'ACTIVE' AND (d.product_id IS NULL OR d.version <> p.version"
    " OR d.sold <> p.total_sold)"
    " UNION ALL SELECT d.product_id FROM search_documents d JOIN products p ON p.id = d.product_id"
    " WHERE p.status <> 'ACTIVE' LIMIT :row_limit"
)
_DUE: Final = sa.text(
    "SELECT product_id, mark, attempts FROM search_updates"
    " WHERE target = :target AND due_at <= :at ORDER BY due_at LIMIT :row_limit"
    " FOR UPDATE SKIP LOCKED"
)
_DONE: Final = sa.text(
    "DELETE FROM search_updates WHERE target = :target AND product_id = :id AND mark = :mark"
)
_LATER: Final = sa.text(
    "UPDATE search_updates SET attempts = attempts + 1, due_at = :at"
    " WHERE target = :target AND product_id = :id AND mark = :mark"
)
# Not ON DUPLICATE KEY UPDATE: a row written so was once not found by full text (ADR 0018).
_INSERT: Final = sa.text(
    "INSERT INTO search_documents (product_id, version, category_id, seller_id, price_minor,"
    " highest_minor, stocked_minor, stocked_highest_minor, rating, sold, in_stock, names, words,"
    " attributes, variants) VALUES (:product_id, :version, :category_id, :seller_id, :price,"
    " :highest, :stocked, :stocked_highest, :rating, :sold, :in_stock, :names, :words,"
    " :attributes, :variants)"
)
_UPDATE_FACTS: Final = (
    "UPDATE search_documents SET version = :version, category_id = :category_id,"
    " seller_id = :seller_id, price_minor = :price, highest_minor = :highest,"
    " stocked_minor = :stocked, stocked_highest_minor = :stocked_highest, rating = :rating,"
    " sold = :sold, in_stock = :in_stock, attributes = :attributes, variants = :variants"
)
_FORGET_VARIANTS: Final = sa.text("DELETE FROM search_variants WHERE product_id = :id")
_INSERT_VARIANT: Final = sa.text(
    "INSERT INTO search_variants (product_id, position, price_minor, in_stock, tokens)"
    " VALUES (:product_id, :position, :price, :in_stock, :tokens)"
)
_UPDATE: Final = sa.text(f"{_UPDATE_FACTS} WHERE product_id = :product_id")
_UPDATE_WORDS: Final = sa.text(
    f"{_UPDATE_FACTS}, names = :names, words = :words WHERE product_id = :product_id"
)
_COUNT_WORDS: Final = sa.text(
    "INSERT INTO search_words (word, name_count, text_count, stem)"
    " VALUES (:word, :names, :texts, :stem)"
    " ON DUPLICATE KEY UPDATE name_count = name_count + VALUES(name_count),"
    " text_count = text_count + VALUES(text_count), stem = VALUES(stem)"
)


@dataclass(frozen=True, slots=True)
class Due:
    product_id: UUID
    mark: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Source:
    """All that a copy is made of; `path` are the names from the category up to its root.

    Of each active variant it is told whether it is in stock.
    """

    product: Product
    variants: Sequence[tuple[ProductVariant, bool]]
    path: Sequence[str]


@dataclass(frozen=True, slots=True)
class DocumentVariant:
    """A variant in a copy; `tokens` are those of its attributes."""

    price_minor: int
    is_in_stock: bool
    attributes: Mapping[str, str]
    tokens: Sequence[str]


@dataclass(frozen=True, slots=True)
class Document:
    """A copy, ready to be written to either index. `words` are tokens, each with its field."""

    product_id: UUID
    version: int
    category_id: UUID
    seller_id: UUID | None
    price_minor: int
    rating_hundredths: int
    sold: int
    label: str
    slug: str
    names: Sequence[str]
    words: Sequence[str]
    variants: Sequence[DocumentVariant]

    def prices(self, *, in_stock: bool = False) -> list[int]:
        """Return what the variants cost; with `in_stock` those that can be bought now."""
        return [v.price_minor for v in self.variants if v.is_in_stock or not in_stock]

    def attributes(self) -> Mapping[str, Sequence[str]]:
        """Return the values that the variants have of each attribute, each once."""
        found: dict[str, dict[str, None]] = {}
        for variant in self.variants:
            for name, value in variant.attributes.items():
                found.setdefault(name, {})[value] = None
        return {name: list(values) for name, values in found.items()}


async def mark_products(
    session: WriteSession, ids: Iterable[UUID], target: SearchTarget = SearchTarget.MYSQL
) -> None:
    """Note that search's copies of these products are behind."""
    at = to_column(now())
    rows = [{"target": target.value, "id": id_.bytes, "at": at} for id_ in sorted(set(ids))]
    if rows:
        await session.execute(_MARK, rows)


async def mark_branch(session: WriteSession, category_id: UUID) -> None:
    """Note that the copies of all products below a category are behind: it is called otherwise."""
    values = {"target": SearchTarget.MYSQL.value, "root": category_id.bytes, "at": to_column(now())}
    await session.execute(_MARK_BRANCH, values)


async def mark_behind(session: WriteSession, *, limit: int) -> int:
    """Mark at most `limit` products whose copies differ from them, and return how many.

    A copy may be missing, of an older version, left over, or of fewer units sold.
    """
    found = await session.execute(_BEHIND, {"row_limit": limit})
    ids = [UUID(bytes=id_) for id_ in found.scalars()]
    await mark_products(session, ids)
    return len(ids)


async def lock_due(session: WriteSession, target: SearchTarget, *, limit: int) -> list[Due]:
    """Return the products whose copies have waited longest; their marks are locked."""
    values = {"target": target.value, "at": to_column(now()), "row_limit": limit}
    rows = await session.execute(_DUE, values)
    return [Due(UUID(bytes=id_), mark, attempts) for id_, mark, attempts in rows]


async def remove_marks(session: WriteSession, target: SearchTarget, done: Sequence[Due]) -> None:
    """Forget the marks, but not one that was set again since."""
    rows = [{"target": target.value, "id": d.product_id.bytes, "mark": d.mark} for d in done]
    if rows:
        await session.execute(_DONE, rows)


async def put_off(
    session: WriteSession, target: SearchTarget, due: Sequence[Due], until: datetime
) -> None:
    at = to_column(until)
    rows = [
        {"target": target.value, "id": d.product_id.bytes, "mark": d.mark, "at": at} for d in due
    ]
    if rows:
        await session.execute(_LATER, rows)


async def sources(session: AnySession, ids: Sequence[UUID]) -> list[Source]:
    """Return the active ones among these products with all that their copies are made of."""
    products = (
        await session.scalars(
            sa.select(Product).where(Product.id.in_(ids), Product.status == ProductStatus.ACTIVE)
        )
    ).all()
    rows = await session.execute(
        sa.select(ProductVariant, Inventory.quantity > Inventory.reserved)
        .outerjoin(Inventory, Inventory.variant_id == ProductVariant.id)
        .where(ProductVariant.product_id.in_(ids), ProductVariant.is_active)
        .order_by(ProductVariant.position)
    )
    variants: dict[UUID, list[tuple[ProductVariant, bool]]] = {}
    for variant, is_available in rows:
        variants.setdefault(variant.product_id, []).append((variant, bool(is_available)))
    paths = await _paths(session)
    return [Source(p, variants.get(p.id, []), paths.get(p.category_id, ())) for p in products]


async def _paths(session: AnySession) -> Mapping[UUID, Sequence[str]]:
    rows = await session.execute(sa.select(Category.id, Category.name, Category.parent_id))
    nodes = {id_: (name, parent) for id_, name, parent in rows}
    paths: dict[UUID, list[str]] = {}
    for leaf in nodes:
        at: UUID | None = leaf
        names: list[str] = []
        while at in nodes and len(names) < len(nodes):
            name, at = nodes[at]
            names.append(name)
        paths[leaf] = names
    return paths


async def replace_documents(
    session: WriteSession,
    ids: Sequence[UUID],
    documents: Sequence[Document],
    *,
    is_anew: bool = False,
) -> None:
    """Write these copies, and delete those of `ids` that have none any more.

    The dictionary's counts move with them. Repeating it changes nothing. With `is_anew` no row is
    left as it was, so that full text reads every one of them again.
    """
    names, texts = Counter[str](), Counter[str]()
    before = await _locked_words(session, ids)
    for words in before.values():
        _count(words.split(), names, texts, -1)
    for document in documents:
        _count(document.words, names, texts, 1)
    kept = set[UUID]() if is_anew else {document.product_id for document in documents}
    gone = [{"id": id_.bytes} for id_ in sorted(before.keys() - kept)]
    if gone:
        await session.execute(sa.text("DELETE FROM search_documents WHERE product_id = :id"), gone)
    await _save(session, [_row(document) for document in documents], {} if is_anew else before)
    await _save_variants(session, ids, documents)
    counts = [
        {"word": word, "names": names[word], "texts": texts[word], "stem": stem_of(word)}
        for word in sorted(names.keys() | texts.keys())
        if names[word] or texts[word]
    ]
    if counts:
        await session.execute(_COUNT_WORDS, counts)


async def _save(
    session: WriteSession, rows: Sequence[Mapping[str, Any]], before: Mapping[UUID, str]
) -> None:
    """Write the rows; words that did not change are left alone, since full text pays for them."""
    statements: dict[Any, list[Mapping[str, Any]]] = {_INSERT: [], _UPDATE: [], _UPDATE_WORDS: []}
    for row in sorted(rows, key=lambda row: row["product_id"]):
        words = before.get(UUID(bytes=row["product_id"]))
        is_same = words == row["words"]
        statement = _INSERT if words is None else _UPDATE if is_same else _UPDATE_WORDS
        statements[statement].append(row)
    for statement, chosen in statements.items():
        if chosen:
            await session.execute(statement, chosen)


async def _save_variants(
    session: WriteSession, ids: Sequence[UUID], documents: Sequence[Document]
) -> None:
    await session.execute(_FORGET_VARIANTS, [{"id": id_.bytes} for id_ in sorted(set(ids))])
    rows = [
        {
            "product_id": document.product_id.bytes,
            "position": position,
            "price": variant.price_minor,
            "in_stock": variant.is_in_stock,
            "tokens": f" {' '.join(variant.tokens)} ",
        }
        for document in sorted(documents, key=lambda each: each.product_id)
        for position, variant in enumerate(document.variants)
    ]
    if rows:
        await session.execute(_INSERT_VARIANT, rows)


async def _locked_words(session: WriteSession, ids: Sequence[UUID]) -> dict[UUID, str]:
    select = sa.text(
        "SELECT product_id, words FROM search_documents WHERE product_id IN :ids"
        " ORDER BY product_id FOR UPDATE"
    ).bindparams(sa.bindparam("ids", expanding=True))
    rows = await session.execute(select, {"ids": [id_.bytes for id_ in ids]})
    return {UUID(bytes=id_): words for id_, words in rows}


def _count(tokens: Iterable[str], names: Counter[str], texts: Counter[str], change: int) -> None:
    for token in tokens:
        field, word = token[:2], token[2:]
        if not _is_counted(word):
            continue
        if field == "n0":
            names[word] += change
        elif field == "d0":
            texts[word] += change


def _is_counted(word: str) -> bool:
    """Whether a word is one of the dictionary: numbers as long as SKUs have are not."""
    is_number = any(character.isdigit() for character in word) and "_" not in word
    return not (is_number and len(word) > _LONGEST_NUMBER)


def _row(document: Document) -> dict[str, Any]:
    stocked = document.prices(in_stock=True)
    return {
        "product_id": document.product_id.bytes,
        "version": document.version,
        "category_id": document.category_id.bytes,
        "seller_id": document.seller_id.bytes if document.seller_id else None,
        "price": document.price_minor,
        "highest": max(document.prices(), default=document.price_minor),
        "stocked": min(stocked, default=None),
        "stocked_highest": max(stocked, default=None),
        "rating": document.rating_hundredths / 100,
        "sold": document.sold,
        "in_stock": bool(stocked),
        "names": f" {' '.join(document.names)} ",
        "words": f" {' '.join(document.words)} ",
        "attributes": orjson.dumps(document.attributes()).decode(),
        "variants": orjson.dumps(
            [[v.price_minor, int(v.is_in_stock), dict(v.attributes)] for v in document.variants]
        ).decode(),
    }
