"""Limits that change while gateways run, by the parameters of a real (local) SSM."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import boto3
import pytest

from gateway.settings import GatewaySettings
from shop import limits
from shop.stack.layout import Layout
from shop.stack.native import NativeStack
from tests.integration.gateway.harness import Door, open_door
from tests.waiting import eventually


@pytest.fixture
def live(
    settings: GatewaySettings, parts: NativeStack, unused_tcp_port: int
) -> Iterator[GatewaySettings]:
    """Settings of a gateway that follows a path of its own; what the test set is taken out."""
    path = f"/test/{uuid4().hex}"
    changes: dict[str, Any] = {
        "aws_endpoint_url": parts.layout.aws_endpoint_url,
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "live_settings_path": path,
        "live_settings_poll_s": 0.1,
        "metrics_port": unused_tcp_port,
    }
    yield GatewaySettings.model_validate(settings.model_dump() | changes)
    client = ssm(parts)
    for name in limits.NAMES.values():
        client.delete_parameters(Names=[f"{path}/{name}"])


def ssm(parts: NativeStack) -> Any:
    return boto3.client(
        "ssm",
        endpoint_url=parts.layout.aws_endpoint_url,
        region_name="ap-south-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def local(parts: NativeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command work on the test's stack."""
    monkeypatch.setattr(Layout, "local", lambda: parts.layout)


async def limit_told_by(door: Door) -> int:
    answer = await door.ask("/api/products/1")
    return int(answer.headers["ratelimit-policy"].split("q=")[1].split(";")[0])


async def is_told(doors: list[Door], limit: int) -> bool:
    return [await limit_told_by(door) for door in doors] == [limit] * len(doors)


@pytest.mark.usefixtures("local")
async def test_a_changed_limit_reaches_every_gateway_and_outlives_a_restart(
    live: GatewaySettings, unused_tcp_port_factory: Any
) -> None:
    other = live.model_copy(update={"metrics_port": unused_tcp_port_factory()})
    path, given = live.live_settings_path, live.rate_limit_per_minute
    async with AsyncExitStack() as running:
        doors = [await running.enter_async_context(open_door(each)) for each in (live, other)]
        assert await is_told(doors, given)

        limits.change(per_minute=7, kind="default", path=path)
        await eventually(lambda: is_told(doors, 7), what="the limit of 7")

        statuses = [(await door.ask("/api/products/1")).status for door in doors for _ in range(4)]
        assert 429 in statuses

    async with open_door(live) as restarted:
        assert await limit_told_by(restarted) == 7
        limits.reset(kind="default", path=path)
        await eventually(lambda: is_told([restarted], given), what="the limit of the start")


async def test_a_word_in_place_of_the_limit_changes_nothing(
    live: GatewaySettings, parts: NativeStack
) -> None:
    path, client = live.live_settings_path, ssm(parts)
    client.put_parameter(Name=f"{path}/rate_limit_per_minute", Value="nine", Type="String")
    client.put_parameter(Name=f"{path}/webhook_limit_per_minute", Value="9", Type="String")

    async with open_door(live) as door:
        policies = door.gateway.limiter.policies
        assert policies["webhook"].limit == 9
        assert policies["default"].limit == live.rate_limit_per_minute


async def test_without_the_store_the_gateway_starts_with_the_limit_it_was_given(
    live: GatewaySettings,
) -> None:
    away = live.model_copy(update={"aws_endpoint_url": "http://127.0.0.1:1"})

    async with open_door(away) as door:
        assert await limit_told_by(door) == live.rate_limit_per_minute
