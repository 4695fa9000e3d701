"""Limits that change while the gateway runs: parameters in SSM, looked at every few seconds.

Under the path of SHOP_LIVE_SETTINGS_PATH a parameter has the name of the setting it stands in for,
such as `/shop/live/rate_limit_per_minute`. It wins over what the process was started with for as
long as it exists. While the store is away, or holds what is no limit, the last good value stays.
"""

import importlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from prometheus_client import Gauge

from common_lib.bus import aws_client_arguments, aws_client_config
from common_lib.settings.production import WIDE_FACTOR
from common_lib.settings.sources import reason
from gateway import auth
from gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

# Each setting, and the policy whose limit it is.
LIMITS: Final[Mapping[str, str]] = {
    "rate_limit_per_minute": auth.DEFAULT,
    "webhook_limit_per_minute": auth.WEBHOOK,
    **{f"{policy}_limit_per_minute": policy for policy in auth.GUARDED.values()},
}
MOST: Final = 1_000_000
_WHOLE: Final = re.compile(r"[0-9]{1,7}")
_READ_TIMEOUT_S: Final = 1.0

LIMIT = Gauge("gateway_rate_limit", "Requests in any 60 s that are let through", ["policy"])

Read = Callable[[], Awaitable[Mapping[str, str]]]
SetLimit = Callable[[str, int], None]


class LiveLimits:
    """Brings the store's limits into force; `read` returns its texts by the settings' names."""

    def __init__(self, settings: GatewaySettings, read: Read, set_limit: SetLimit) -> None:
        self._settings = settings
        self._read = read
        self._set_limit = set_limit
        self._in_force = {name: int(getattr(settings, name)) for name in LIMITS}
        self._refused: dict[str, str] = {}
        self._is_away = False
        for name, limit in self._in_force.items():
            LIMIT.labels(LIMITS[name]).set(limit)

    async def refresh(self) -> None:
        """Look once. Never raises for what is in the store, or for a store that is away."""
        try:
            texts = await self._read()
        except (BotoCoreError, ClientError, OSError, TimeoutError, ValueError) as error:
            self._tell_away(error)
            return
        self._is_away = False
        for name in LIMITS:
            self._apply(name, texts.get(name))

    def _apply(self, name: str, text: str | None) -> None:
        limit = getattr(self._settings, name) if text is None else self._limit(name, text)
        if limit is None:
            self._tell_refused(name, str(text))
            return
        self._refused.pop(name, None)
        if limit != self._in_force[name]:
            self._set_limit(LIMITS[name], limit)
            LIMIT.labels(LIMITS[name]).set(limit)
            log.info("limit.changed", name=name, was=self._in_force[name], limit=limit)
            self._in_force[name] = limit

    def _limit(self, name: str, text: str) -> int | None:
        """Return the limit that a text says, None if it says none that may be in force."""
        if _WHOLE.fullmatch(text) is None:
            return None
        default = type(self._settings).model_fields[name].default
        most = default * WIDE_FACTOR if self._settings.is_production else MOST
        return int(text) if 1 <= int(text) <= most else None

    def _tell_refused(self, name: str, text: str) -> None:
        if self._refused.get(name) != text:
            self._refused[name] = text
            log.warning("limit.refused", name=name, given=text[:20], stays=self._in_force[name])

    def _tell_away(self, error: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("live_settings.away", reason=reason(error))


@asynccontextmanager
async def live_limits(settings: GatewaySettings, set_limit: SetLimit) -> AsyncIterator[LiveLimits]:
    """Open the store, and look into it before the first request comes."""
    session = importlib.import_module("common_lib.bus.sessions").new_session()
    arguments = aws_client_arguments(settings)
    config = aws_client_config(read_timeout_s=_READ_TIMEOUT_S, connect_timeout_s=_READ_TIMEOUT_S)
    async with session.client("ssm", **arguments, config=config) as client:
        limits = LiveLimits(settings, _reader(client, settings.live_settings_path), set_limit)
        await limits.refresh()
        yield limits


def _reader(client: Any, path: str) -> Read:
    names = {f"{path.rstrip('/')}/{name}": name for name in LIMITS}

    async def read() -> Mapping[str, str]:
        answer = await client.get_parameters(Names=list(names))
        return {names[found["Name"]]: found["Value"] for found in answer["Parameters"]}

    return read
