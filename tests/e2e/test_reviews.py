"""From the purchase to the rating on the product's page, through the gateway."""

from shop.stack.native import NativeStack
from tests.invariants import assert_invariants
from tests.shopper import Shopper, line, new_product
from tests.waiting import eventually


async def test_a_buyer_reviews_what_was_bought_and_the_page_shows_it(
    stack: NativeStack, shopper: Shopper, seller: Shopper, admin: Shopper
) -> None:
    product = await new_product(seller, quantity=3)
    reviews = f"/api/products/{product['id']}/reviews"
    opinion = {"rating": 4, "title": "Boils", "body": "It boils water."}

    too_early = await shopper.request("POST", reviews, json=opinion)
    assert (too_early.status_code, too_early.json()["code"]) == (403, "purchase_required")

    order = (await shopper.place([line(product["variants"][0]["id"])])).json()
    assert order["status"] == "CONFIRMED"

    async def written() -> str:
        """The catalog hears of the order by an event, a moment later."""
        answer = await shopper.request("POST", reviews, json=opinion)
        return str(answer.json()["id"]) if answer.status_code == 201 else ""

    review = await eventually(written, timeout_s=120, what="a buyer may review")
    again = await shopper.request("POST", reviews, json=opinion)
    assert (again.status_code, again.json()["code"]) == (409, "review_exists")
    own = await seller.request("POST", reviews, json=opinion)
    assert (own.status_code, own.json()["code"]) == (403, "own_product")

    verdict = await admin.request(
        "PATCH", f"/api/reviews/{review}/status", json={"status": "APPROVED"}
    )
    assert verdict.status_code == 200, verdict.text

    async def rated() -> bool:
        page = (await shopper.request("GET", f"/api/products/{product['id']}")).json()
        return bool((page["avgRating"], page["reviewCount"]) == (4.0, 1))

    await eventually(rated, timeout_s=2, what="the page shows the rating")
    shown = (await shopper.request("GET", reviews)).json()
    assert [(item["id"], item["isVerifiedPurchase"]) for item in shown["items"]] == [(review, True)]
    await assert_invariants(stack)
