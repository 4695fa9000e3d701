"""What the services, the gateway and the `shop` command have in common.

Each of their packages imports this one first of all, because it loads two libraries without large
optional parts that no process of ours uses: structlog takes `rich` wherever that is installed, as
it is for the `shop` command, and redis-py the SDK of OpenTelemetry's metrics. Both together are
5 MB and 0.15 s of CPU in every process. Whoever wants those parts imports them as ever.
"""

import importlib
import sys


def _load(library: str, *, without: str) -> None:
    """Import the library as if the module `without` were not there, unless either is loaded."""
    if library in sys.modules or without in sys.modules:
        return
    sys.modules[without] = None  # type: ignore[assignment] # an ImportError for who asks for it
    try:
        importlib.import_module(library)
    finally:
        del sys.modules[without]


_load("structlog", without="rich")
_load("redis", without="opentelemetry.sdk.metrics")
