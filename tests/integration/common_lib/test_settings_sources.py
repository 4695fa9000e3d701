"""Settings out of the SSM and the Secrets Manager of LocalStack."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from pydantic import SecretStr

from common_lib.settings import ServiceSettings
from common_lib.settings.sources import SettingsNotRead, aws_client
from shop.stack.native import NativeStack


class ThingSettings(ServiceSettings):
    section: ClassVar[str] = "thing"

    port: int
    colour: str = "grey"
    webhook_secret: SecretStr


@pytest.fixture
def path(parts: NativeStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a path of the test's own, with the environment set to reach the store."""
    for name, value in parts.environment("gateway").items():
        if name.startswith("SHOP_AWS_"):
            monkeypatch.setenv(name, value)
    path = f"shop/{uuid4().hex}"
    yield path
    ssm, secrets = aws_client("ssm"), aws_client("secretsmanager")
    for section in ("common", "thing"):
        for name in _names(ssm, f"/{path}/{section}"):
            ssm.delete_parameter(Name=name)
        secrets.delete_secret(SecretId=f"{path}/{section}", ForceDeleteWithoutRecovery=True)


def _names(ssm: Any, path: str) -> list[str]:
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
    return [parameter["Name"] for page in pages for parameter in page["Parameters"]]


def put_parameters(path: str, **values: str) -> None:
    ssm = aws_client("ssm")
    for name, value in values.items():
        ssm.put_parameter(Name=f"/{path}/{name}", Value=value, Type="SecureString")


def read() -> ThingSettings:
    return ThingSettings()


def test_parameters_come_decrypted_and_however_many_there_are(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SETTINGS_SOURCE", f"ssm:/{path}")
    # SSM answers with ten at a time.
    put_parameters(f"{path}/common", **{f"other_{n}": "x" for n in range(11)}, port="7")
    put_parameters(f"{path}/thing", webhook_secret="s3cret", port="8")

    settings = read()

    assert (settings.port, settings.colour) == (8, "grey")
    assert settings.webhook_secret.get_secret_value() == "s3cret"


def test_secrets_are_read_over_each_other(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SETTINGS_SOURCE", f"secretsmanager:{path}")
    monkeypatch.setenv("SHOP_COLOUR", "blue")
    contents = {"common": {"port": 7, "colour": "red"}, "thing": {"SHOP_WEBHOOK_SECRET": "s3cret"}}
    for section, content in contents.items():
        aws_client("secretsmanager").create_secret(
            Name=f"{path}/{section}", SecretString=json.dumps(content)
        )

    settings = read()

    assert (settings.port, settings.colour) == (7, "blue")
    assert settings.webhook_secret.get_secret_value() == "s3cret"


@pytest.mark.parametrize("source", ["ssm:/", "secretsmanager:"])
def test_a_path_without_anything_is_a_fault(
    path: str, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("SHOP_SETTINGS_SOURCE", f"{source}{path}")

    with pytest.raises(SettingsNotRead, match="holds no settings"):
        read()


@pytest.mark.parametrize("source", ["ssm:/", "secretsmanager:"])
def test_a_store_that_is_away_is_told_by_its_name(
    path: str, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("SHOP_SETTINGS_SOURCE", f"{source}{path}")
    with monkeypatch.context() as away:
        away.setenv("SHOP_AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        with pytest.raises(SettingsNotRead, match="cannot be read: EndpointConnectionError"):
            read()
