"""The start page, the search and a product's page: what the shop has."""

from playwright.async_api import expect

from tests.e2e.browser.visitor import Visitors
from tests.e2e.pictures import with_picture
from tests.shopper import Shopper, new_product


async def test_the_start_page_shows_what_the_shop_has(visitors: Visitors) -> None:
    guest = await visitors.one()
    await guest.open("/")

    await guest.reads("Electronics")
    cards = guest.page.locator(".product")
    await expect(cards).to_have_count(24)
    first = await cards.first.inner_text()
    assert "₹" in first
    assert any(words in first for words in ("In stock", "left", "Sold out"))
    await guest.presses("Show more")
    await expect(cards).to_have_count(48)

    await guest.follows("Books")
    await guest.sees("Books")
    await guest.page.get_by_label("Sort by").select_option("price")
    await expect(guest.page).to_have_url(f"{guest.base_url}/search?category=books&sort=price")
    await guest.sees("Books")


async def test_a_product_is_found_by_its_words_and_shown_with_its_picture(
    visitors: Visitors, seller: Shopper
) -> None:
    product = await new_product(seller, quantity=3, variants=2)
    await with_picture(seller, product["id"])
    guest = await visitors.one(width=390)

    await guest.open(f"/products/{product['slug']}")
    await guest.sees(product["name"])
    await guest.reads("₹499.00")
    await guest.reads("Only 3 left")
    await guest.reads("Size 1")
    picture = guest.page.locator("#product img").first
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


async def test_words_that_find_nothing_and_products_that_are_gone_are_told_of(
    visitors: Visitors,
) -> None:
    guest = await visitors.one()
    await guest.open("/")

    await guest.fills("Search the shop", "zzz&amp;qqq")
    await guest.page.keyboard.press("Enter")
    await guest.sees("Nothing found for “zzz&amp;qqq”")
    await guest.open("/products/no-such-thing")
    await guest.sees("This product is not in the shop")
    await guest.open("/there/is/none")
    await guest.sees("There is nothing at this address")
    await guest.follows("To the start page")
    await guest.reads("Electronics")
