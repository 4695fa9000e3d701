"""The category tree on the wire."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common_lib.problems import ApiModel, LaxId, RequestModel
from common_lib.text import SLUG, SLUG_WANTED, OneLine, Shaped

CategoryName = Annotated[str, OneLine(120)]
CategorySlug = Annotated[str, Shaped(SLUG, SLUG_WANTED, max_length=140)]
Position = Annotated[int, Field(ge=0, le=1_000_000)]


class CategoryIn(RequestModel):
    """A new category; without a parent it is a root, without a slug it gets one from its name."""

    name: CategoryName
    parent_id: LaxId | None = None
    slug: CategorySlug | None = None
    position: Position = 0


class CategoryEdit(RequestModel):
    """The category anew; what is left out stays as it is, `parentId: null` makes it a root."""

    name: CategoryName
    parent_id: LaxId | None = None
    slug: CategorySlug | None = None
    position: Position | None = None


class CategoryMove(RequestModel):
    """Where the category goes with all that is below it; null makes it a root."""

    parent_id: LaxId | None
    position: Position | None = None


class CategoryOut(ApiModel):
    id: UUID
    parent_id: UUID | None
    name: str
    slug: str
    children: tuple["CategoryOut", ...] = ()


class CategoryTree(ApiModel):
    items: tuple[CategoryOut, ...]


class CategoryRow(ApiModel):
    """One category without what is below it."""

    id: UUID
    parent_id: UUID | None
    name: str
    slug: str
    position: int
