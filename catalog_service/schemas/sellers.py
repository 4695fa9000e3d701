"""Stores on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from common_lib.problems import ApiModel, RequestModel

# One line, as it stands on a page or in a mail.
StoreName = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=120, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
StoreDescription = Annotated[str, Field(max_length=5_000)]
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
