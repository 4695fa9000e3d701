"""Settings out of SSM Parameter Store or Secrets Manager, below the environment.

`SHOP_SETTINGS_SOURCE` names the store and a path:

- `ssm:/shop/production`: the parameters `/shop/production/common/<name>` and, over them,
  `/shop/production/<service>/<name>`, decrypted;
- `secretsmanager:shop/production`: the secrets `shop/production/common` and, over it,
  `shop/production/<service>`, each a JSON object of names and values.

A name is that of the variable, with or without SHOP_, in capitals or not. Where the store is and
who asks comes from the environment: SHOP_AWS_REGION, SHOP_AWS_ENDPOINT_URL and the usual chain of
credentials.
"""

import importlib
import json
import os
from collections.abc import Mapping
from typing import Any, Final

from pydantic_settings import BaseSettings, EnvSettingsSource

VARIABLE: Final = "SHOP_SETTINGS_SOURCE"
COMMON: Final = "common"
_PREFIX: Final = "shop_"
_CONNECT_TIMEOUT_S: Final = 2
_READ_TIMEOUT_S: Final = 5
_ATTEMPTS: Final = 3


class SettingsNotRead(Exception):
    """The store of the settings did not give any; the message says which and why, no value."""


class StoreSource(EnvSettingsSource):
    """What the store knows for one kind of process. Raises SettingsNotRead."""

    def __init__(self, settings_cls: type[BaseSettings], source: str, section: str) -> None:
        # Read by _load_env_vars, which the parent's constructor calls.
        self._source, self._section = source, section
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return dict(load(self._source, self._section))


def load(source: str, section: str) -> dict[str, str]:
    """Return the values of a section over the common ones, by the variables' names in small.

    Raises SettingsNotRead.
    """
    store, _, path = source.partition(":")
    if store not in _READERS or not path.strip("/"):
        expected = "ssm:/path or secretsmanager:name"
        raise SettingsNotRead(f"{VARIABLE} is {source!r}: it must be {expected}")
    found: dict[str, str] = {}
    for part in dict.fromkeys((COMMON, section)):
        found |= _read(source, store, f"{path.rstrip('/')}/{part}")
    if not found:
        raise SettingsNotRead(f"{source} holds no settings for {section!r} and none in common")
    return found


def _read(source: str, store: str, path: str) -> dict[str, str]:
    try:
        values = _READERS[store](aws_client(store), path)
    except _aws_errors() as error:
        raise SettingsNotRead(f"{source} cannot be read: {reason(error)}") from None
    return {f"{_PREFIX}{name.lower().removeprefix(_PREFIX)}": text for name, text in values.items()}


def _read_parameters(client: Any, path: str) -> dict[str, str]:
    pages = client.get_paginator("get_parameters_by_path").paginate(Path=path, WithDecryption=True)
    return {
        parameter["Name"].rpartition("/")[2]: parameter["Value"]
        for page in pages
        for parameter in page["Parameters"]
    }


def _read_secret(client: Any, name: str) -> dict[str, str]:
    try:
        answer = client.get_secret_value(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return {}
    try:
        values = json.loads(answer["SecretString"])
        return {key: _text(value) for key, value in values.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        # What the parser says would quote the secret.
        message = f"the secret {name} is no JSON object of texts and numbers"
        raise SettingsNotRead(message) from None


def _text(value: object) -> str:
    """Return a value as the environment would hold it. Raises TypeError for lists and the like."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError


_READERS: Final = {"ssm": _read_parameters, "secretsmanager": _read_secret}


def aws_client(service: str) -> Any:
    """Return a client that gives up within seconds; the library is loaded by those who ask."""
    config = importlib.import_module("botocore.config").Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"total_max_attempts": _ATTEMPTS},
    )
    return importlib.import_module("boto3").client(
        service,
        config=config,
        region_name=os.environ.get("SHOP_AWS_REGION") or "ap-south-1",
        endpoint_url=os.environ.get("SHOP_AWS_ENDPOINT_URL") or None,
        aws_access_key_id=os.environ.get("SHOP_AWS_ACCESS_KEY_ID") or None,
        aws_secret_access_key=os.environ.get("SHOP_AWS_SECRET_ACCESS_KEY") or None,
    )


def reason(error: BaseException) -> str:
    """Say why AWS failed: its code, or the kind of error; its text may repeat what was sent."""
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return str(code or type(error).__name__)


def _aws_errors() -> tuple[type[BaseException], ...]:
    exceptions = importlib.import_module("botocore.exceptions")
    # ValueError: an endpoint that is no URL.
    return exceptions.BotoCoreError, exceptions.ClientError, ValueError
