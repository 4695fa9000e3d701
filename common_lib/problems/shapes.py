"""The shapes of bodies and ids: FastAPI by default takes "5" for an int; nothing here does."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from common_lib.errors import NotFound

_UUID_LENGTH: Final = 36


class ApiModel(BaseModel):
    """Base of response bodies: camelCase on the wire, built by field name."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class RequestModel(ApiModel):
    """Base of request bodies: camelCase names only, unknown members and loose numbers refused.

    Ids, enumerations and times come as text: give such fields `LaxId` or
    `Annotated[X, Field(strict=False)]`.
    """

    model_config = ConfigDict(validate_by_name=False)


LaxId = Annotated[UUID, Field(strict=False)]


def parse_id(text: str) -> UUID:
    """Read an id from a path; a malformed one names nothing, so it raises NotFound."""
    if len(text) != _UUID_LENGTH:
        raise NotFound
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
