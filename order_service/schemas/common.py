"""Pieces that several bodies share."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field

from common_lib.problems import ApiModel, RequestModel
from common_lib.text import ManyLines, Shaped, Verbatim

MAX_INT32 = 2**31 - 1
DEFAULT_PAGE = 20
MAX_PAGE = 100

Quantity = Annotated[int, Field(ge=1, le=1000)]
Note = Annotated[str, ManyLines(500)]
Token = Annotated[
    str,
    Shaped(r"^[\x21-\x7e]+$", "Send the token as the provider gave it out", max_length=255),
]
KeyInBody = Annotated[
    str, Field(max_length=4096), Verbatim("judged with the header, which brings the same key")
]


class KeyedRequest(RequestModel):
    """A body that may carry its idempotency key, in either spelling."""

    key_in_camel: KeyInBody | None = Field(
        default=None, validation_alias=AliasChoices("idempotencyKey")
    )
    key_in_snake: KeyInBody | None = Field(
        default=None, validation_alias=AliasChoices("idempotency_key")
    )

    def canonical(self) -> dict[str, Any]:
        """Return what makes two requests the same one: everything but the key itself."""
        return self.model_dump(
            mode="json",
            by_alias=True,
            exclude={"key_in_camel", "key_in_snake"},
            exclude_none=True,
        )


class Page(ApiModel):
    """What every list says besides its items."""

    next_cursor: str | None
