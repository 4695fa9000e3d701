"""Fills a test stack with the catalogue that developers get too."""

import asyncio

from common_lib.settings import Profile
from shop.seed import BCRYPT_ROUNDS, Databases, seed
from shop.stack.native import NativeStack


def fill(stack: NativeStack) -> None:
    """Seed it; to log in there costs what that stack has passwords cost."""
    rounds = int(stack.layout.env.get("SHOP_BCRYPT_ROUNDS", BCRYPT_ROUNDS))
    asyncio.run(seed(Databases.of_stack(stack), profile=Profile.TEST, bcrypt_rounds=rounds))
