"""Tokens that nobody was given: every way to make one that we know of, by name.

`FORGED` are made with what anybody can have: the public key, a real token of one's own, keys of
one's own. `MISISSUED` are signed with the shop's real key and name nobody all the same: what an
issuer's mistake, or a token for another purpose, would look like.
"""

from collections.abc import Mapping
from typing import Final

from tests.e2e.forging.mint import Make, Mint, malleated
from tests.e2e.forging.misissued import MISISSUED
from tests.e2e.forging.with_another_key import WITH_ANOTHER_KEY
from tests.e2e.forging.without_a_key import WITHOUT_A_KEY

FORGED: Final[Mapping[str, Make]] = {**WITHOUT_A_KEY, **WITH_ANOTHER_KEY}

__all__ = ["FORGED", "MISISSUED", "Mint", "malleated"]
