"""What lists and searches show: the bytes that the schemas would write, from plain rows."""

from catalog_service.queries.products import product_details
from catalog_service.schemas.products import ProductPage
from catalog_service.schemas.search import SearchPage
from catalog_service.services.products import product_out
from catalog_service.services.search.items import dump, shown_items
from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.search.searching import SearchShop, word

ODD_NAME = 'Chai "masala" \\ 50% <b>समोसा</b> 🚚 \u2028 \x7f'
ODD_DESCRIPTION = "Line\r\n\ttab \x01 control, \u00e9 and {ids} %s"


async def put_odd_product(shop: SearchShop, mark: str) -> None:
    seller_id, _ = await shop.catalog.seller()
    product_id = await shop.put(
        f"{ODD_NAME} {mark}",
        description=ODD_DESCRIPTION,
        seller_id=seller_id,
        attributes={"größe": "5½", "Colour": ""},
    )
    await shop.rated(product_id, "4.25")


async def test_the_bytes_of_a_product_are_those_of_its_schema(catalog: Catalog) -> None:
    shop, mark = SearchShop(catalog), word()
    await put_odd_product(shop, mark)
    await shop.put(f"Plain {mark}", quantity=0)
    answer = await catalog.client.get("/api/products?limit=100")
    ids = [item.id for item in ProductPage.model_validate_json(answer.content).items]
    async with catalog.database.read() as session:
        details = await product_details(session, ids)
        items = await shown_items(session, ids)
    page = ProductPage(
        items=tuple(product_out(detail.for_everybody()) for detail in details), next_cursor=None
    )
    assert dump({"items": items, "nextCursor": None}) == page.model_dump_json().encode()


async def test_the_bytes_of_a_search_are_those_of_its_schema(shop: SearchShop) -> None:
    mark = word()
    await put_odd_product(shop, mark)
    await shop.put(f"Plain {mark}", price_minor=70_000, attributes={"colour": "red"})
    for query in (f"q={mark}", f"q={mark}&limit=1", f"q={mark}&minPrice=60000&sort=price"):
        answer = await shop.catalog.client.get(f"/api/products/search?{query}")
        page = SearchPage.model_validate_json(answer.content)
        assert page.items, query
        assert answer.content == page.model_dump_json().encode(), query


async def test_inactive_variants_are_not_shown_in_lists_and_searches(shop: SearchShop) -> None:
    mark = word()
    category = await shop.category(f"Only {mark}")
    product_id = await shop.put(f"Kettle {mark}", category_id=category)
    inactive = await shop.add_inactive_variant(product_id)
    page = await shop.catalog.client.get(f"/api/products/{product_id}")
    found = await shop.search(mark)
    listed = await shop.catalog.client.get(f"/api/products?categoryId={category}")
    for product in (page.json(), found["items"][0], listed.json()["items"][0]):
        assert [variant["isActive"] for variant in product["variants"]] == [True]
        assert str(inactive) not in [variant["id"] for variant in product["variants"]]
