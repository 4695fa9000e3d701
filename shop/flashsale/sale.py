"""One flash sale from its listing to its proof."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx2
from rich.console import Console

from common_lib.auth import TokenSigner
from shop import audit
from shop.flashsale import baseline, display
from shop.flashsale.buyers import Buyer, invite
from shop.flashsale.crowd import Crowd, Tally
from shop.flashsale.goods import Goods, Seller
from shop.flashsale.plan import Measured, Plan
from shop.flashsale.proof import Bookkeeper, verdicts
from shop.stack.layout import Layout
from shop.stack.progress import Progress

_WATCH_S: Final = 0.25
_SELLER_TIMEOUT_S: Final = 30


@dataclass(frozen=True)
class Venue:
    """The running stack the sale is held in: its addresses, its books and its tokens' signer."""

    layout: Layout
    books: audit.Audit
    signer: TokenSigner

    @property
    def entrance(self) -> str:
        return self.layout.url("gateway")


async def hold(plan: Plan, venue: Venue, console: Console) -> list[audit.Finding]:
    """Hold the sale, print everything and return the findings that are broken."""
    progress = Progress(console)
    each = "one" if plan.quantity == 1 else f"{plan.quantity}"
    progress.heading(f"Flash sale: {plan.buyers:,} buyers want {each} each, {plan.stock:,} units")
    async with httpx2.AsyncClient(base_url=venue.entrance, timeout=_SELLER_TIMEOUT_S) as http:
        seller = await Seller(http).log_in()
        goods = await seller.list_goods(plan.stock)
        progress.done(f"{goods.name} ({goods.sku}) is listed through the API")
        sale = Sale(plan, venue, goods, progress)
        tally = await sale.rush(await sale.invited())
        findings = await sale.proven(tally, seller)
    display.print_comparison(console, tally.measured, await sale.baseline(), baseline.BUYERS)
    return [finding for finding in findings if not finding.is_kept]


class Sale:
    """A plan carried out at a venue with its own goods."""

    def __init__(self, plan: Plan, venue: Venue, goods: Goods, progress: Progress) -> None:
        self._plan = plan
        self._venue = venue
        self._goods = goods
        self._progress = progress
        self._books = Bookkeeper(venue.books.databases, goods)

    async def invited(self) -> list[Buyer]:
        plan, venue, progress = self._plan, self._venue, self._progress
        with progress.step(f"Inviting {plan.buyers:,} buyers") as step:
            users = venue.books.databases["user"]
            buyers = await invite(users, venue.signer, plan.buyers, plan.seed)
        progress.done(f"{len(buyers):,} buyers stand at the door", step.elapsed_s)
        progress.note(
            "prepared beforehand: their accounts are written into users_db and their tokens signed"
            " with the stack's key, as registering takes 0.25 s of bcrypt each"
        )
        return buyers

    async def rush(self, buyers: Sequence[Buyer]) -> Tally:
        """Open the doors and watch until every buyer has an answer."""
        plan, goods, console = self._plan, self._goods, self._progress.console
        async with Crowd(self._venue.entrance) as crowd:
            with display.Scoreboard(console, plan, goods.name) as board:
                buying = asyncio.ensure_future(crowd.buy(buyers, goods.variant_id, plan.quantity))
                try:
                    while not buying.done():
                        board.show(crowd.tally, await self._books.units_left())
                        await asyncio.wait([buying], timeout=_WATCH_S)
                finally:
                    buying.cancel()
            tally = await buying
        display.print_rush(self._progress, tally)
        return tally

    async def proven(self, tally: Tally, seller: Seller) -> list[audit.Finding]:
        """Wait for the mails, then compare everything; the audit of the platform comes last."""
        progress = self._progress
        with progress.bar("Waiting for the mails", len(tally.placed)) as bar:
            written = await self._books.settled(lambda mails: bar.advance(mails - bar.completed))
        progress.done(f"{written.mails.total():,} mails are sent", bar.elapsed_s)
        shown = await seller.available(self._goods)
        findings = verdicts(self._plan, tally, written, shown)
        display.print_findings(progress.console, "The sale", findings)
        with progress.step("Auditing the platform"):
            invariants = await audit.settled(self._venue.books)
        display.print_findings(progress.console, "The platform", invariants)
        return [*findings, *invariants]

    async def baseline(self) -> Measured:
        """Measure the lock-per-request design on the same MySQL and Redis."""
        catalog, redis_url = self._venue.books.databases["catalog"], self._venue.layout.redis_url
        self._progress.heading("Beside the brief's design")
        with self._progress.step("One lock per request, on the same MySQL and Redis"):
            return await baseline.measure(catalog, redis_url)
