"""Nothing is taken that cannot be finished, and what nobody waits for is not begun."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url

from tests.integration.common_lib.cutting import Cut, Proxy, proxy_before
from tests.integration.order_service.conftest import OpenIt, OpenShop
from tests.problems import code_of
from tests.shopper import at_once, line
from tests.waiting import eventually

SMALL_POOL = {"database_pool_size": 4, "database_max_overflow": 2, "database_pool_timeout_s": 60}
SEATS = 4


class Barrier:
    """Holds the catalog's answers back, after it has taken the stock."""

    def __init__(self, shop: OpenShop) -> None:
        self.waiting = 0
        self.go_on = asyncio.Event()
        shop.neighbours.on_reserved = self._wait

    async def _wait(self) -> None:
        self.waiting += 1
        await self.go_on.wait()


async def test_without_a_connection_for_the_order_no_stock_is_taken(open_shop: OpenIt) -> None:
    shop = await open_shop(**SMALL_POOL | {"database_pool_timeout_s": 0.3})
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    may_end, held = asyncio.Event(), 0

    async def hold() -> None:
        nonlocal held
        async with shop.database.connection():
            held += 1
            await may_end.wait()

    async def take_all_connections() -> None:
        holders.extend(asyncio.create_task(hold()) for _ in range(6))
        await eventually(lambda: held == 6, what="every connection taken")

    holders: list[asyncio.Task[None]] = []
    shop.neighbours.on_contact = take_all_connections
    refused = await shopper.place([line(variant)], key=key)
    shop.neighbours.on_contact = None
    may_end.set()
    await asyncio.gather(*holders)
    placed = await shopper.place([line(variant)], key=key)

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert shop.neighbours.reserve_calls == 1, "the refused attempt asked for stock"
    assert placed.status_code == 201, placed.text


async def test_a_burst_takes_no_more_stock_at_once_than_there_are_connections_for(
    open_shop: OpenIt,
) -> None:
    shop = await open_shop(**SMALL_POOL)
    barrier, variant = Barrier(shop), shop.sell()
    buyers = [shop.somebody() for _ in range(20)]

    asked = [asyncio.create_task(buyer.place([line(variant)])) for buyer in buyers]
    await eventually(lambda: barrier.waiting == SEATS, what="the first are at the catalog")
    # Whoever looks finds a connection, while all places of orders are taken.
    looked = await buyers[0].request("GET", "/api/orders")
    taken_meanwhile = barrier.waiting
    barrier.go_on.set()
    answers = await asyncio.gather(*asked)

    assert looked.status_code == 200
    assert taken_meanwhile == SEATS
    assert {answer.status_code for answer in answers} == {201}
    assert shop.neighbours.held(variant) == 20


async def test_an_order_whose_connection_breaks_before_the_commit_is_written_on_another(
    open_shop: OpenIt, orders_url: str
) -> None:
    url = make_url(orders_url)
    async with proxy_before("127.0.0.1", url.port or 0) as proxy:
        proxied = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        shop = await open_shop(database_url=proxied)
        shopper, variant = shop.somebody(), shop.sell()
        proxy.cut_at(b"INSERT INTO idempotency_keys", Cut.BEFORE_THE_ANSWER, is_reset=False)

        answer = await shopper.place([line(variant)])

        assert answer.status_code == 201, answer.text
        assert await shop.orders_of(shopper) == 1
        assert (shop.neighbours.held(variant), shop.neighbours.releases) == (1, [])


@pytest.fixture
async def mysql(orders_url: str) -> AsyncIterator[Proxy]:
    url = make_url(orders_url)
    async with proxy_before("127.0.0.1", url.port or 0) as proxy:
        yield proxy


async def test_an_order_that_cannot_be_written_gives_its_stock_back_unless_it_is_tried_again(
    open_shop: OpenIt, orders_url: str, mysql: Proxy
) -> None:
    proxied = make_url(orders_url).set(host="127.0.0.1", port=mysql.port)
    shop = await open_shop(
        database_url=proxied.render_as_string(hide_password=False), unfinished_order_grace_s=0.1
    )
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    mysql.cut_at(b"INSERT INTO idempotency_keys", Cut.BEFORE_IT_ARRIVES, is_reset=True, times=99)

    refused = await shopper.place([line(variant)], key=key)
    mysql.cut_at(b"no such statement", Cut.BEFORE_IT_ARRIVES, is_reset=False)
    await eventually(lambda: shop.neighbours.held(variant) == 0, what="the stock is given back")
    late = await shopper.place([line(variant)], key=key)

    assert refused.status_code == 503
    assert await shop.orders_of(shopper) == 0
    assert (late.status_code, code_of(late)) == (422, "order_aborted")


async def test_a_retry_finds_what_its_attempt_held(open_shop: OpenIt) -> None:
    shop = await open_shop(unfinished_order_grace_s=900)
    shopper, variant, key = shop.somebody(), shop.sell(stock=1), uuid4().hex
    shop.neighbours.loses_answers = 1

    lost = await shopper.place([line(variant)], key=key)
    found = await shopper.place([line(variant)], key=key)

    assert lost.status_code == 503
    assert found.status_code == 201, found.text
    assert (shop.neighbours.held(variant), shop.neighbours.releases) == (1, [])


async def test_a_lost_answer_of_the_catalog_holds_nothing_for_long(open_shop: OpenIt) -> None:
    shop = await open_shop(unfinished_order_grace_s=0.1)
    shopper, variant = shop.somebody(), shop.sell(stock=1)
    shop.neighbours.loses_answers = 1

    lost = await shopper.place([line(variant)])
    await eventually(lambda: shop.neighbours.held(variant) == 0, what="the stock is given back")

    assert lost.status_code == 503
    assert (await shop.somebody().place([line(variant)])).status_code == 201


@pytest.mark.parametrize("code", ["overloaded", "nobody_waits"])
async def test_a_catalog_that_did_not_begin_leaves_the_key_usable(
    open_shop: OpenIt, code: str
) -> None:
    shop = await open_shop(unfinished_order_grace_s=0.01)
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    shop.neighbours.refuses_with = code

    refused = await shopper.place([line(variant)], key=key)
    assert not shop.cases.placing.unfinished()
    shop.neighbours.refuses_with = None
    placed = await shopper.place([line(variant)], key=key)

    assert (refused.status_code, placed.status_code) == (503, 201)


async def test_an_order_nobody_waits_for_takes_no_stock(shop: OpenShop) -> None:
    shopper, variant, key = shop.somebody(), shop.sell(), uuid4().hex
    await shopper.place([line(variant)])  # the buyer's name and address are known from now on
    asked = shop.neighbours.reserve_calls
    shopper.headers = {"X-Request-Timeout-Ms": "0"}

    refused = await shopper.place([line(variant)], key=key)
    asked_meanwhile = shop.neighbours.reserve_calls - asked
    shopper.headers = {}
    placed = await shopper.place([line(variant)], key=key)

    assert (refused.status_code, code_of(refused)) == (503, "nobody_waits")
    assert asked_meanwhile == 0
    assert placed.status_code == 201, placed.text


async def test_the_catalog_is_told_how_much_time_is_left(shop: OpenShop) -> None:
    shopper = shop.somebody()
    shopper.headers = {"X-Request-Timeout-Ms": "4321"}

    await shopper.place([line(shop.sell())])

    assert 0 < shop.neighbours.time_left_ms <= 4321


async def test_orders_at_once_leave_no_connection_taken(open_shop: OpenIt) -> None:
    shop = await open_shop(**SMALL_POOL)
    variant, none_left = shop.sell(), shop.sell(stock=0)
    wishes = [variant, none_left] * 12

    answers = await at_once(*(shop.somebody().place([line(wish)]) for wish in wishes))

    assert [answer.status_code for answer in answers] == [201, 409] * 12
    assert shop.database.pool_in_use() == 0
