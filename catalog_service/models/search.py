"""What search reads: a compact copy of each active product, and the words they are found by.

Copies only: products are the truth, `search_updates` says which copies are behind, and a rebuild
makes all of them anew.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from catalog_service.models.base import Base, Timestamps, enum_column
from common_lib.clock import now
from common_lib.database import TABLE_OPTIONS, Id, UtcDateTime

LONGEST_NAMES: Final = 1200
# Twenty attributes of 22 letters with the spaces around them.
LONGEST_TOKENS: Final = 480


class SearchTarget(StrEnum):
    """The two indexes, which fall behind and catch up each by itself."""

    MYSQL = "mysql"
    ELASTICSEARCH = "elasticsearch"


class SearchDocument(Base):
    """An active product as search sees it, of the `version` it had then.

    `names` are the words of its name in their order; `words` every token it is found by, with the
    prefix of its field (see search_text). `price_minor` and `highest_minor` are the ends of what
    its active variants cost, `stocked_minor` and `stocked_highest_minor` of those in stock (None
    where all is sold out). `attributes` maps a name to the variants' values; `variants` lists each
    as [price, 1 if in stock, attributes].
    """

    __tablename__ = "search_documents"
    __table_args__ = (
        Index("ft_search_documents_words", "words", mysql_prefix="FULLTEXT"),
        Index("ix_search_documents_price", "price_minor", "product_id"),
        Index("ix_search_documents_highest", "highest_minor", "product_id"),
        Index("ix_search_documents_stocked", "stocked_minor", "product_id"),
        Index("ix_search_documents_rating", "rating", "product_id"),
        Index("ix_search_documents_sold", "sold", "product_id", "names"),
        Index("ix_search_documents_category_id", "category_id"),
        Index("ix_search_documents_seller_id", "seller_id"),
        Index("ix_search_documents_names", "names", mysql_length={"names": 64}),
        TABLE_OPTIONS,
    )

    product_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    category_id: Mapped[UUID] = mapped_column(Id)
    seller_id: Mapped[UUID | None] = mapped_column(Id)
    price_minor: Mapped[int] = mapped_column(BigInteger)
    highest_minor: Mapped[int | None] = mapped_column(BigInteger)
    stocked_minor: Mapped[int | None] = mapped_column(BigInteger)
    stocked_highest_minor: Mapped[int | None] = mapped_column(BigInteger)
    rating: Mapped[Decimal] = mapped_column(Numeric(3, 2))
    sold: Mapped[int] = mapped_column(Integer)
    in_stock: Mapped[bool] = mapped_column(Boolean)
    names: Mapped[str] = mapped_column(
        mysql.VARCHAR(LONGEST_NAMES, charset="ascii", collation="ascii_bin")
    )
    words: Mapped[str] = mapped_column(mysql.TEXT(charset="ascii", collation="ascii_bin"))
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON)
    variants: Mapped[list[Any] | None] = mapped_column(JSON)


class SearchVariant(Base):
    """An active variant as search sees it: what several filters at once are judged by.

    `position` counts from 0; `tokens` are those of its attributes.
    """

    __tablename__ = "search_variants"
    __table_args__ = (TABLE_OPTIONS,)

    product_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    price_minor: Mapped[int] = mapped_column(BigInteger)
    in_stock: Mapped[bool] = mapped_column(Boolean)
    tokens: Mapped[str] = mapped_column(
        mysql.VARCHAR(LONGEST_TOKENS, charset="ascii", collation="ascii_bin")
    )


class SearchWord(Base):
    """A word of the shop and in how many documents it stands, by field; for plans and typos.

    Words of one `stem` are found by each other.
    """

    __tablename__ = "search_words"
    __table_args__ = (Index("ix_search_words_stem", "stem"), TABLE_OPTIONS)

    word: Mapped[str] = mapped_column(
        mysql.VARCHAR(80, charset="ascii", collation="ascii_bin"), primary_key=True
    )
    name_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    text_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    stem: Mapped[str | None] = mapped_column(
        mysql.VARCHAR(80, charset="ascii", collation="ascii_bin")
    )


class SearchUpdate(Base):
    """A product whose copy in one index is behind. `mark` tells a later change from an earlier."""

    __tablename__ = "search_updates"
    __table_args__ = (
        Index("ix_search_updates_target_due_at", "target", "due_at"),
        TABLE_OPTIONS,
    )

    target: Mapped[SearchTarget] = mapped_column(enum_column(SearchTarget), primary_key=True)
    product_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    mark: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class RebuildStatus(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class SearchRebuild(Timestamps, Base):
    """An index made anew: asked for by the operator, done by the worker, resumed after a crash.

    `last_product_id` is how far it came; `index_name` is the new index that the alias will name.
    """

    __tablename__ = "search_rebuilds"
    __table_args__ = (Index("ix_search_rebuilds_status", "status"), TABLE_OPTIONS)

    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    target: Mapped[SearchTarget] = mapped_column(enum_column(SearchTarget))
    status: Mapped[RebuildStatus] = mapped_column(
        enum_column(RebuildStatus), default=RebuildStatus.QUEUED
    )
    total: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    done: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    index_name: Mapped[str | None] = mapped_column(String(120))
    last_product_id: Mapped[UUID | None] = mapped_column(Id)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str | None] = mapped_column(String(255))
