"""Named places where a test ends the process as `kill -9` would."""

import os
import signal
from typing import Final

CRASH_POINTS: Final = frozenset(
    {
        "order.before_tx1",
        "order.after_tx1",
        "order.before_tx2",
        "order.tx2_before_commit",
        "order.tx2_after_commit",
        "order.after_answer_scheduled",
        "payment.after_provider_call",
        "catalog.before_tx1_commit",
        "catalog.after_tx1_commit",
        "catalog.before_commit_hold",
        "catalog.release_mid",
        "catalog.import_before_commit",
        "catalog.import_after_commit",
        "relay.after_publish_before_mark",
        "consumer.after_effect_before_delete",
        "mail.before_ses",
        "mail.after_ses_before_sent",
    }
)

# Read once: a crash point costs one comparison when nothing is armed.
_armed = os.environ.get("SHOP_CRASH_AT") if os.environ.get("SHOP_PROFILE") == "test" else None
if _armed and _armed not in CRASH_POINTS:
    raise ValueError(f"SHOP_CRASH_AT names no crash point: {_armed}")


def crash_point(name: str) -> None:
    """End this process by SIGKILL if a test armed this point; otherwise do nothing."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
