"""What the services, the gateway and the `shop` command have in common."""

import importlib
import sys


def load_without_extras() -> None:
    """Import two libraries without large optional parts that no service uses.

    structlog takes `rich` wherever that is installed, as it is for the `shop` command, and redis-py
    the SDK of OpenTelemetry's metrics: 5 MB and 0.15 s of CPU in every process. To be called before
    anything else imports them; whoever wants those parts then imports them as ever.
    """
    _load("structlog", without="rich")
    _load("redis", without="opentelemetry.sdk.metrics")


def _load(library: str, *, without: str) -> None:
    """Import the library as if the module `without` were not there, unless either is loaded."""
    if library in sys.modules or without in sys.modules:
        return
    sys.modules[without] = None  # type: ignore[assignment] # an ImportError for who asks for it
    try:
        importlib.import_module(library)
    finally:
        del sys.modules[without]
