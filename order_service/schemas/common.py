"""Pieces that several bodies share."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field, StringConstraints

from common_lib.problems import ApiModel, RequestModel

MAX_INT32 = 2**31 - 1
DEFAULT_PAGE = 20
MAX_PAGE = 100

Quantity = Annotated[int, Field(ge=1, le=1000)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
KeyInBody = Annotated[str, Field(max_length=4096)]


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


def _text(longest: int) -> object:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


class ShippingAddress(RequestModel):
    """Where the parcel goes; kept with the order as it was at that moment."""

    label: Annotated[str, _text(50)] | None = None
    full_name: Annotated[str, _text(120)]
    phone: Annotated[str, _text(20)]
    address_line1: Annotated[str, _text(200)] = Field(alias="addressLine1")
    address_line2: Annotated[str, _text(200)] | None = Field(default=None, alias="addressLine2")
    city: Annotated[str, _text(100)]
    state: Annotated[str, _text(100)]
    pincode: Annotated[str, _text(12)]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "IN"


class Page(ApiModel):
    """What every list says besides its items."""

    next_cursor: str | None
