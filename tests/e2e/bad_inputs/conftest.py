"""What a bad cart or order is made of."""

import pytest

from tests.shopper import Shopper, new_product


@pytest.fixture
async def variant_id(seller: Shopper) -> str:
    product = await new_product(seller, quantity=50)
    found: str = product["variants"][0]["id"]
    return found
