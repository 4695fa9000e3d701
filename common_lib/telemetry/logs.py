"""One line per event on standard output, of ours and of libraries, without secrets."""

import json
import logging
import sys
from typing import Any, Final

import orjson
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from common_lib.settings import LogFormat, ServiceSettings

_SECRET_WORDS: Final = ("password", "token", "secret", "authorization", "card", "cvv")


def configure_logs(settings: ServiceSettings, add_ids: Processor) -> None:
    """Set up logging; `add_ids` writes into each line what it belongs to."""
    is_json = settings.log_format is LogFormat.JSON
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_dump)
        if is_json
        else structlog.dev.ConsoleRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        add_ids,
        _mask_secrets,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(shared, renderer)


def _route_standard_logging(shared: list[Any], renderer: Any) -> None:
    """Send what libraries log through the same processors."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True


def _dump(value: Any, default: Any = str, **_: Any) -> str:
    try:
        return orjson.dumps(value, default=default, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # an integer beyond 64 bits, a lone surrogate: no reason to fail a request
        return json.dumps(value, default=str)


def _mask_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "***"
    return event
