"""A short run of generated requests; `make fuzz` sends a hundred thousand."""

import asyncio
import time

from shop.stack.native import NativeStack
from tests.fuzz import campaign
from tests.fuzz.__main__ import lines

REQUESTS = 800
SEED = 20_261_123


async def test_no_generated_request_breaks_what_the_documents_promise(stack: NativeStack) -> None:
    gateway, started = stack.layout.url("gateway"), time.monotonic()
    report = await asyncio.to_thread(
        campaign.run, gateway, requests=REQUESTS, seed=SEED, progress=lambda _: None
    )

    assert report.is_clean, "\n".join(lines(report, time.monotonic() - started))
    assert report.requests >= REQUESTS
    assert len(report.succeeded) > len(report.operations) / 3
