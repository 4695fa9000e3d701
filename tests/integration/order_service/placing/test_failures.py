"""A commit whose answer is lost, a catalog that is away, and a sweeper that comes in between."""

from uuid import uuid4

from tests.integration.order_service.conftest import OpenShop
from tests.integration.order_service.proxy import Cut
from tests.problems import code_of
from tests.shopper import line


async def test_a_lost_answer_to_commit_is_read_again_and_not_compensated(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await shop.somebody().place([line(variant)])  # opens the connection that is to be cut
    shop.wire.cut = Cut.AFTER_THE_SERVER

    answer = await shopper.place([line(variant)])

    assert answer.status_code == 201, answer.text
    assert shop.wire.cut is None
    assert await shop.orders_of(shopper) == 1
    assert shop.neighbours.releases == []


async def test_a_commit_that_never_arrived_is_made_again(shop: OpenShop) -> None:
    shopper, variant = shop.somebody(), shop.sell()
    await shop.somebody().place([line(variant)])  # opens the connection that is to be cut
    shop.wire.cut = Cut.BEFORE_THE_SERVER

    answer = await shopper.place([line(variant)])

    assert answer.status_code == 201, answer.text
    assert await shop.orders_of(shopper) == 1
    assert shop.neighbours.held(variant) == 2


async def test_nothing_is_released_while_the_catalog_is_away(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    shop.neighbours.is_catalog_down = True
    away = await shopper.place([line(variant)], key=key)
    shop.neighbours.is_catalog_down = False

    back = await shopper.place([line(variant)], key=key)

    assert away.status_code == 503
    assert away.headers["retry-after"] == "1"
    assert back.status_code == 201, back.text


async def test_the_sweeper_is_told_of_a_placed_order(shop: OpenShop) -> None:
    shopper, key = shop.somebody(), uuid4().hex
    order = (await shopper.place([line(shop.sell())], key=key)).json()

    answer = await shop.http.post(
        "/internal/orders/abort",
        headers=shop.service_headers(),
        json={"userId": shopper.user_id, "idempotencyKey": key, "reservationId": str(uuid4())},
    )

    assert answer.json() == {"outcome": "PLACED", "orderId": order["id"]}


async def test_an_aborted_key_never_becomes_an_order(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    body = {"userId": shopper.user_id, "idempotencyKey": key, "reservationId": str(uuid4())}

    for _ in range(2):
        answer = await shop.http.post(
            "/internal/orders/abort", headers=shop.service_headers(), json=body
        )
        assert answer.json() == {"outcome": "ABORTED", "orderId": None}

    late = await shopper.place([line(variant)], key=key)
    assert (late.status_code, code_of(late)) == (422, "order_aborted")
    assert await shop.orders_of(shopper) == 0


async def test_an_abort_while_the_order_is_being_placed_wins_or_loses_wholly(
    shop: OpenShop,
) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    body = {"userId": shopper.user_id, "idempotencyKey": key, "reservationId": str(uuid4())}

    async def sweep() -> None:
        await shop.http.post("/internal/orders/abort", headers=shop.service_headers(), json=body)

    shop.neighbours.on_reserved = sweep
    answer = await shopper.place([line(variant)], key=key)

    assert (answer.status_code, code_of(answer)) == (422, "order_aborted")
    assert await shop.orders_of(shopper) == 0
    assert shop.neighbours.releases == []  # that is the sweeper's to do


async def test_only_the_catalog_may_abort(shop: OpenShop) -> None:
    body = {"userId": str(uuid4()), "idempotencyKey": "k", "reservationId": str(uuid4())}

    nobody = await shop.http.post("/internal/orders/abort", json=body)
    gateway = await shop.http.post(
        "/internal/orders/abort", headers=shop.service_headers("gateway"), json=body
    )
    customer = await shop.somebody().request("POST", "/internal/orders/abort", json=body)

    assert (nobody.status_code, gateway.status_code, customer.status_code) == (401, 403, 401)
