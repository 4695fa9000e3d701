"""The tables of catalog_db, business and technical, each in its list."""

from catalog_service.models import Base

BUSINESS = {
    "sellers",
    "categories",
    "products",
    "product_variants",
    "product_images",
    "inventory",
    "reviews",
    "wishlists",
}
TECHNICAL = {
    "reservations",
    "reservation_lines",
    "stock_movements",
    "purchases",
    "product_imports",
    "product_import_errors",
    "image_removals",
    "search_documents",
    "search_rebuilds",
    "search_updates",
    "search_words",
    "outbox",
    "inbox",
}


def test_the_schema_holds_the_eight_business_tables_and_the_technical_ones() -> None:
    assert set(Base.metadata.tables) == BUSINESS | TECHNICAL
