"""The way of an event, and what goes along with it."""

from typing import Final

from tests.proofs.fault import Fault

FAULTS: Final = (
    Fault(
        (140, 160),
        "common_lib/consumer.py",
        'trace = message.attributes.get("traceparent")',
        "trace = None",
    ),
    Fault((140,), "common_lib/telemetry/__init__.py", 'f"00-', 'f"01-'),
)
