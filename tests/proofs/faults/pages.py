"""The pages that people see."""

from typing import Final

from tests.proofs.fault import Fault

FAULTS: Final = (
    Fault((130,), "gateway/storefront.py", 'rb"/orders/[0-9A-Fa-f]{8}', 'rb"/order/[0-9A-Fa-f]{8}'),
)
