"""All faults, in the order in which they are tried."""

from itertools import chain
from typing import Final

from tests.proofs.fault import AnyFault
from tests.proofs.faults import (
    accounts,
    caches,
    deployment,
    endpoints,
    events,
    gateway,
    mails,
    orders,
    pages,
    stock,
    tables,
)

FAULTS: Final[tuple[AnyFault, ...]] = tuple(
    chain(
        endpoints.FAULTS,
        mails.FAULTS,
        tables.FAULTS,
        deployment.FAULTS,
        caches.FAULTS,
        events.FAULTS,
        pages.FAULTS,
        stock.FAULTS,
        gateway.FAULTS,
        accounts.FAULTS,
        orders.FAULTS,
    )
)
