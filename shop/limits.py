"""`shop limits`: shows and changes the gateway's limits while it runs, all processes alike."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from common_lib.settings.sources import reason
from shop.stack.environment import LIVE_SETTINGS_PATH
from shop.stack.errors import StackError
from shop.stack.layout import REGION, Layout

NAMES: Final[Mapping[str, str]] = {
    "default": "rate_limit_per_minute",
    **{
        kind: f"{kind}_limit_per_minute"
        for kind in ("webhook", "login", "register", "forgot", "mfa")
    },
}
_NOT_FOUND: Final = "ParameterNotFound"


def show(*, is_aws: bool = False, path: str = LIVE_SETTINGS_PATH) -> None:
    """Print every limit that is changed, and which are not. Raises StackError."""
    client, console = _client(is_aws=is_aws), Console()
    with _told_plainly():
        answer = client.get_parameters(Names=[_parameter(path, kind) for kind in NAMES])
    values = {found["Name"]: found["Value"] for found in answer["Parameters"]}
    for kind in NAMES:
        value = values.get(_parameter(path, kind), "as the gateway was started with")
        console.print(f"{kind:<9} {value}", highlight=False, markup=False)


def change(
    *, per_minute: int, kind: str, is_aws: bool = False, path: str = LIVE_SETTINGS_PATH
) -> None:
    """Let this many requests through in any 60 s, from some seconds on. Raises StackError."""
    name = _parameter(path, _known(kind))
    with _told_plainly():
        _client(is_aws=is_aws).put_parameter(
            Name=name, Value=str(per_minute), Type="String", Overwrite=True
        )
    Console().print(f"{kind}: {per_minute} in any 60 s, within 5 s at every gateway")


def reset(*, kind: str, is_aws: bool = False, path: str = LIVE_SETTINGS_PATH) -> None:
    """Go back to what the gateways were started with. Raises StackError."""
    with _told_plainly():
        _client(is_aws=is_aws).delete_parameter(Name=_parameter(path, _known(kind)))
    Console().print(f"{kind}: as the gateways were started with, within 5 s")


def _known(kind: str) -> str:
    if kind not in NAMES:
        raise StackError(f"there is no limit {kind!r}", f"choose one of {', '.join(NAMES)}")
    return kind


def _parameter(path: str, kind: str) -> str:
    return f"{path.rstrip('/')}/{NAMES[kind]}"


def _client(*, is_aws: bool) -> Any:
    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
    if is_aws:
        region = os.environ.get("SHOP_AWS_REGION") or REGION
        return boto3.client("ssm", region_name=region, config=config)
    return boto3.client(
        "ssm",
        region_name=REGION,
        endpoint_url=Layout.local().aws_endpoint_url,
        # What LocalStack takes.
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
        config=config,
    )


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        why = reason(error)
        if why == _NOT_FOUND:
            return
        raise StackError(f"the limits cannot be reached: {why}", "make up, or --aws") from error
