"""The category tree on the wire."""

from uuid import UUID

from common_lib.problems import ApiModel


class CategoryOut(ApiModel):
    id: UUID
    parent_id: UUID | None
    name: str
    slug: str
    children: tuple["CategoryOut", ...] = ()


class CategoryTree(ApiModel):
    items: tuple[CategoryOut, ...]
