"""All faults, in the order in which they are tried."""

from itertools import chain
from typing import Final

from tests.proofs.fault import Fault
from tests.proofs.faults import caches, deployment, events, stock

FAULTS: Final[tuple[Fault, ...]] = tuple(
    chain(deployment.FAULTS, caches.FAULTS, events.FAULTS, stock.FAULTS)
)
