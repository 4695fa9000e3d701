"""The tables of catalog_db, business and technical, each in its list."""

from catalog_service.models import Base
from tests.schemas import BUSINESS, TECHNICAL


def test_the_schema_holds_the_eight_business_tables_and_the_technical_ones() -> None:
    assert set(Base.metadata.tables) == BUSINESS["catalog"] | TECHNICAL["catalog"]
