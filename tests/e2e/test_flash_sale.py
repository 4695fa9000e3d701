"""A small sale in a whole shop, from its listing to its proof."""

import io
import re
from collections.abc import AsyncIterator

import httpx2
import pytest
import sqlalchemy as sa
from rich.console import Console

from common_lib.auth import SigningKey
from common_lib.ids import new_id
from shop import audit
from shop.flashsale import baseline
from shop.flashsale.buyers import Buyer
from shop.flashsale.command import venue_of
from shop.flashsale.crowd import NO_ANSWER, Answer, Crowd
from shop.flashsale.goods import Seller
from shop.flashsale.plan import Plan
from shop.flashsale.sale import Venue, hold
from shop.stack.credentials import key_file, load_or_create
from shop.stack.errors import StackError
from shop.stack.native import NativeStack
from shop.stack.ports import free_ports


@pytest.fixture
async def venue(stack: NativeStack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Venue]:
    """The shop without the rule about queues: other tests send what ends among the dead letters.

    The sale in tests/chaos has a stack of its own and is held to that rule, too.
    """

    async def left_out(_: audit.Audit) -> audit.Finding:
        return audit.Finding("the queues are not asked", ())

    monkeypatch.setattr(audit.Audit, "_queues_are_empty", left_out)
    key = SigningKey.from_file(key_file(stack.layout.keys, "jwt"))
    async with venue_of(stack, key) as venue:
        yield venue


@pytest.fixture
def short_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure the lock-per-request design just long enough to see that it works."""
    measure = baseline.measure
    monkeypatch.setattr(baseline, "measure", lambda *parts: measure(*parts, buyers=4, seconds=0.2))


@pytest.mark.usefixtures("short_baseline")
@pytest.mark.parametrize("plan", [Plan(buyers=60, stock=20), Plan(buyers=10, stock=50, quantity=3)])
async def test_a_sale_proves_what_it_sold(venue: Venue, plan: Plan) -> None:
    output = io.StringIO()

    broken = await hold(plan, venue, Console(file=output, width=200))

    assert broken == [], output.getvalue()
    assert f"sold {plan.orders}, refused {plan.refusals}" in output.getvalue()
    assert re.search(r"lock per request.* [\d,]+ ", output.getvalue())


@pytest.mark.usefixtures("short_baseline")
async def test_the_baseline_leaves_no_table_behind(venue: Venue) -> None:
    catalog = venue.books.databases["catalog"]

    found = await baseline.measure(catalog, venue.layout.redis_url)

    assert found.sold > 0
    async with catalog.connection() as connection:
        left = await connection.execute(sa.text("SHOW TABLES LIKE 'scratch%'"))
        assert left.all() == []


@pytest.mark.usefixtures("short_baseline")
async def test_a_buyer_with_a_token_of_another_key_gets_a_final_refusal(
    venue: Venue, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = tmp_path_factory.mktemp("strange")
    load_or_create(keys)
    stack = NativeStack(venue.layout)
    async with venue_of(stack, SigningKey.from_file(key_file(keys, "jwt"))) as strange:
        output = io.StringIO()

        broken = await hold(Plan(buyers=2, stock=1), strange, Console(file=output, width=200))

    assert any("2 times 401 invalid_token" in f.offenders for f in broken), output.getvalue()


async def test_a_gateway_that_is_away_is_told() -> None:
    (port,) = free_ports(1)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        with pytest.raises(StackError, match="the gateway does not answer"):
            await Seller(http).log_in()


async def test_a_crowd_before_a_closed_door_gives_up_when_its_patience_ends() -> None:
    (port,) = free_ports(1)
    buyer = Buyer(new_id(), "token", "key")

    async with Crowd(f"http://127.0.0.1:{port}", patience_s=0.2) as crowd:
        tally = await crowd.buy([buyer], new_id())

    assert tally.failed == {buyer.user_id: Answer(NO_ANSWER, "no_answer")}
    assert tally.repeats["no_answer"] > 0
