"""The metadata of users_db."""

from enum import StrEnum

from sqlalchemy import Enum
from sqlalchemy.orm import DeclarativeBase

from common_lib.database import new_metadata
from common_lib.outbox import define_outbox


class Base(DeclarativeBase):
    metadata = new_metadata()


outbox = define_outbox(Base.metadata)


def enum_column(enumeration: type[StrEnum]) -> Enum:
    """Return a native ENUM holding the members' values."""
    return Enum(enumeration, values_callable=lambda members: [m.value for m in members])
