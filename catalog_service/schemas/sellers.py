"""Stores on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from common_lib.problems import ApiModel, RequestModel
from common_lib.text import ManyLines, OneLine

StoreName = Annotated[str, OneLine(120)]
StoreDescription = Annotated[str, ManyLines(5_000, min_length=0)]
StoreStatus = Literal["PENDING", "ACTIVE", "SUSPENDED"]


class StoreIn(RequestModel):
    """An application to sell."""

    store_name: StoreName
    description: StoreDescription = ""


class StoreEdit(RequestModel):
    """The store anew; a description left out stays as it is."""

    store_name: StoreName
    description: StoreDescription | None = None


class StoreStatusIn(RequestModel):
    status: StoreStatus


class StoreOut(ApiModel):
    """What everybody may see of a store that is open."""

    id: UUID
    store_name: str
    slug: str
    description: str
    status: str
    created_at: datetime


class OwnStoreOut(StoreOut):
    """What its owner and administrators see of a store in any state."""

    user_id: UUID
    updated_at: datetime


class StorePage(ApiModel):
    items: tuple[OwnStoreOut, ...]
    next_cursor: str | None


class SellerOut(ApiModel):
    """A store as another service asks for it."""

    id: UUID
    user_id: UUID
    store_name: str
    status: str
