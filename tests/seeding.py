"""Fills a test stack with the catalogue that developers get too."""

import asyncio

from common_lib.settings import Profile
from shop.seed import Databases, seed
from shop.stack.native import NativeStack


def fill(stack: NativeStack) -> None:
    asyncio.run(seed(Databases.of_stack(stack), profile=Profile.TEST))
