"""Limits out of the store: what comes into force, and what leaves them as they are."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from common_lib.settings import Profile
from gateway.live_settings import LIMITS, LiveLimits
from gateway.settings import GatewaySettings
from shop.limits import NAMES

NAME = "rate_limit_per_minute"


class Store:
    """What the store answers, and the limits that came into force."""

    def __init__(self, **changes: Any) -> None:
        self.texts: Mapping[str, str] = {}
        self.is_away = False
        settings = GatewaySettings(rate_limit_per_minute=100).model_copy(update=changes)
        self.in_force = {policy: getattr(settings, name) for name, policy in LIMITS.items()}
        self.limits = LiveLimits(settings, self.read, self.in_force.__setitem__)

    async def read(self) -> Mapping[str, str]:
        if self.is_away:
            raise EndpointConnectionError(endpoint_url="http://store")
        return self.texts

    async def holding(self, **texts: str) -> int:
        self.texts = texts
        await self.limits.refresh()
        return int(self.in_force["default"])


@pytest.mark.parametrize("text", ["1", "7", "250", "1000000"])
async def test_a_limit_of_the_store_comes_into_force(text: str) -> None:
    assert await Store().holding(rate_limit_per_minute=text) == int(text)


async def test_every_limit_has_its_parameter_and_its_word_in_the_command() -> None:
    store = Store()

    await store.holding(**{name: str(n) for n, name in enumerate(LIMITS, 11)})

    assert sorted(store.in_force.values()) == list(range(11, 11 + len(LIMITS)))
    assert dict(NAMES) == {policy: name for name, policy in LIMITS.items()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "1.5",
        "1e3",
        " 7",
        "7 ",
        "+7",
        "0x10",
        "many",
        "1000001",
        "9" * 400,
        "\u0667",
        "7\n",
    ],
)
async def test_what_is_no_limit_leaves_the_last_good_one(text: str) -> None:
    store = Store()
    await store.holding(rate_limit_per_minute="7")

    assert await store.holding(rate_limit_per_minute=text) == 7


async def test_a_limit_that_is_taken_out_goes_back_to_that_of_the_start() -> None:
    store = Store()
    await store.holding(rate_limit_per_minute="7")

    assert await store.holding() == 100


async def test_while_the_store_is_away_the_last_good_limit_stays() -> None:
    store = Store()
    await store.holding(rate_limit_per_minute="7")

    store.is_away = True
    assert await store.holding() == 7
    store.is_away = False
    assert await store.holding(rate_limit_per_minute="8") == 8


async def test_production_takes_no_limit_as_wide_as_for_development() -> None:
    store = Store(profile=Profile.PRODUCTION)

    assert await store.holding(rate_limit_per_minute="1001") == 100
    assert await store.holding(rate_limit_per_minute="1000") == 1000


@pytest.mark.parametrize("path", ["shop/live", "/shop//live", "/shop live", "ssm:/shop"])
def test_a_path_that_the_store_cannot_have_is_refused_at_the_start(path: str) -> None:
    with pytest.raises(ValueError, match="live_settings_path"):
        GatewaySettings(live_settings_path=path)
