"""The shapes of bodies and ids: FastAPI by default takes "5" for an int; nothing here does."""

from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from common_lib.errors import NotFound
from common_lib.text import Verbatim, is_optional_text, leaves

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

    An empty text for a member that may be left out counts as null: forms send what
    nobody filled in.

    Ids, enumerations and times come as text: give such fields `LaxId` or
    `Annotated[X, Field(strict=False)]`.
    """

    model_config = ConfigDict(validate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _blank_is_none(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        kept = dict(given)
        for name, text in _optional_texts(cls).items():
            if text.is_left_out(given.get(name)):
                del kept[name]
                kept.update(text.instead(name))
        return kept


@dataclass(frozen=True, slots=True)
class _OptionalText:
    """A member that holds a text and may be left out."""

    is_verbatim: bool
    is_nullable: bool

    def is_left_out(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        return not (value if self.is_verbatim else value.strip())

    def instead(self, name: str) -> dict[str, None]:
        """Return null where null is taken, because only that clears what was there before."""
        return {name: None} if self.is_nullable else {}


@cache
def _optional_texts(model: type[BaseModel]) -> dict[str, _OptionalText]:
    """Return the members of a body that an empty text leaves out, by their names on the wire."""
    return {
        name: _OptionalText(_is_verbatim(field), _is_nullable(field))
        for field in model.model_fields.values()
        if is_optional_text(field)
        for name in _names_of(field)
    }


def _is_verbatim(field: FieldInfo) -> bool:
    marks = (mark for _, marks in leaves(field.annotation, field.metadata) for mark in marks)
    return any(isinstance(mark, Verbatim) for mark in marks)


def _is_nullable(field: FieldInfo) -> bool:
    return any(kind is NoneType for kind, _ in leaves(field.annotation))


def _names_of(field: FieldInfo) -> tuple[str, ...]:
    wanted = field.validation_alias
    if isinstance(wanted, AliasChoices):
        return tuple(str(choice) for choice in wanted.choices)
    return (str(wanted),)


LaxId = Annotated[UUID, Field(strict=False)]


def parse_id(text: str) -> UUID:
    """Read an id from a path; a malformed one names nothing, so it raises NotFound."""
    if len(text) != _UUID_LENGTH:
        raise NotFound
    try:
        return UUID(text)
    except ValueError:
        raise NotFound from None
