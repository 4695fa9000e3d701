"""`shop flashsale`: holds the sale in the local stack and fails if anything does not hold."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from rich.console import Console

from common_lib.auth import SigningKey, TokenSigner
from shop import audit, books
from shop.flashsale.plan import Plan
from shop.flashsale.sale import Venue, hold
from shop.seed import profile_of, refuse_production
from shop.stack import choice, docker, memory
from shop.stack.credentials import key_file
from shop.stack.errors import StackError
from shop.stack.layout import Layout
from shop.stack.native import NativeStack
from shop.stack.probe import is_ok

_KEY_IN_DOCKER: Final = "/keys/tokens/jwt.pem"


def run(*, buyers: int, stock: int, quantity: int = 1, seed: int = 1) -> None:
    """Hold a sale in the local stack. Raises StackError if it cannot be held or does not hold."""
    plan = Plan.checked(buyers=buyers, stock=stock, quantity=quantity, seed=seed)
    refuse_production(profile_of(os.environ), "a flash sale makes up its buyers")
    layout = Layout.local()
    if not is_ok(layout.url("gateway") + "/readyz"):
        raise StackError("the shop is not up", "make up && make seed")
    asyncio.run(_hold(plan, layout))


async def _hold(plan: Plan, layout: Layout) -> None:
    key = _token_key(layout)
    async with venue_of(NativeStack(layout), key, books.compose_password(layout)) as venue:
        broken = await hold(plan, venue, Console())
    if broken:
        raise StackError(
            f"{len(broken)} findings do not hold, the first: {broken[0].sentence}",
            "read docs/runbook.md; `shop audit` checks the platform again",
        )


@asynccontextmanager
async def venue_of(
    stack: NativeStack, key: SigningKey, mysql_password: str | None = None
) -> AsyncIterator[Venue]:
    """Open the databases of a stack whose tokens `key` signs; they are closed with the block."""
    checks = audit.open_audit(stack, mysql_password=mysql_password)
    settings = checks.settings
    signer = TokenSigner(key, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    try:
        yield Venue(stack.layout, checks, signer)
    finally:
        await checks.close()


def _token_key(layout: Layout) -> SigningKey:
    """Return the key with which the running stack signs tokens. Raises StackError."""
    remembered = memory.recall_kind(layout.home)
    if choice.choose(os.environ, remembered, docker.engine_answers) is memory.Kind.DOCKER:
        return SigningKey(docker.content_of(layout, "user", _KEY_IN_DOCKER))
    try:
        return SigningKey.from_file(key_file(layout.keys, "jwt"))
    except ValueError as error:
        raise StackError(str(error), "make up") from error
