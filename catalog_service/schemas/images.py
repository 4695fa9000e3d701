"""Pictures of products on the wire."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from catalog_service.schemas.inventory import MAX_COUNT
from common_lib.problems import ApiModel, RequestModel
from common_lib.text import OneLine, Verbatim

AltText = Annotated[str, OneLine(255, min_length=0)]
UploadName = Annotated[str, Verbatim("compared with what the shop gave out itself")]


class PresignIn(RequestModel):
    """The file that is about to be uploaded."""

    content_type: Literal["image/jpeg", "image/png", "image/webp"]
    size_bytes: Annotated[int, Field(ge=1, lt=MAX_COUNT)]


class PresignOut(ApiModel):
    """Post `fields`, and after them the file as `file`, as a multipart form to `upload_url`."""

    upload_url: str
    method: Literal["POST"]
    fields: dict[str, str]
    key: str
    expires_at: datetime


class AttachIn(RequestModel):
    """An upload by its key, or by the address it has in our own bucket.

    `position` is its place among the pictures, the first being 0; without one it comes last.
    """

    key: UploadName | None = None
    url: UploadName | None = None
    alt_text: AltText = ""
    position: Annotated[int, Field(ge=0, lt=MAX_COUNT)] | None = None

    @model_validator(mode="after")
    def _names_one_upload(self) -> Self:
        if (self.key is None) == (self.url is None):
            raise ValueError("name the upload by its key or by its url")
        return self


class AttachedImage(ApiModel):
    id: UUID
    url: str
    alt_text: str
    position: int
    content_type: str | None
    width: int | None
    height: int | None
