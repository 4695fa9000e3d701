"""Stores on the wire."""

from uuid import UUID

from common_lib.problems import ApiModel


class SellerOut(ApiModel):
    id: UUID
    user_id: UUID
    store_name: str
    status: str
