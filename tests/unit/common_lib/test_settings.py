"""Where settings come from, what production refuses of them, and how a process says so."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from pydantic import SecretStr, ValidationError

from common_lib.settings import DatabaseSettings, Profile, ServiceSettings
from common_lib.settings.production import PUBLISHED_SECRETS
from common_lib.settings.sources import SettingsNotRead, load
from common_lib.settings.start import EXIT_CODE, UnfitForStart, told_plainly
from gateway.main import build_app
from gateway.settings import GatewaySettings
from order_service.settings import Settings as OrderSettings
from shop.stack.key_files import create_if_absent, new_signing_key, write_for_owner
from tests.production import SECRET, production
from user_service.settings import Settings as UserSettings

DATABASE = f"mysql+asyncmy://shop:{SECRET}@db:3306/shop"


class ThingSettings(ServiceSettings):
    """A service's settings as small as can be."""

    section: ClassVar[str] = "thing"

    port: int = 1
    colour: str
    weight: int = 3
    secret: SecretStr = SecretStr("")


class FakeStore:
    """SSM and Secrets Manager, as far as their two calls are used."""

    def __init__(self, parameters: Mapping[str, str], secrets: Mapping[str, Any]) -> None:
        self._parameters, self._secrets = parameters, secrets
        self.exceptions = self

    class ResourceNotFoundException(Exception):
        """Secrets Manager's name for what is not there."""

    def get_paginator(self, name: str) -> "FakeStore":
        assert name == "get_parameters_by_path"
        return self

    def paginate(self, **arguments: Any) -> list[dict[str, Any]]:
        assert arguments["WithDecryption"] is True
        found = [
            {"Name": name, "Value": value}
            for name, value in self._parameters.items()
            if name.rpartition("/")[0] == arguments["Path"]
        ]
        return [{"Parameters": [one]} for one in found]

    def get_secret_value(self, **arguments: Any) -> dict[str, Any]:
        if arguments["SecretId"] not in self._secrets:
            raise self.ResourceNotFoundException
        return {"SecretString": self._secrets[arguments["SecretId"]]}


Fill = Callable[..., None]


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Return what fills the store and points the settings at it."""

    def filled(
        source: str,
        parameters: Mapping[str, str] | None = None,
        secrets: Mapping[str, Any] | None = None,
    ) -> None:
        store = FakeStore(parameters or {}, secrets or {})
        monkeypatch.setattr("common_lib.settings.sources.aws_client", lambda _name: store)
        monkeypatch.setenv("SHOP_SETTINGS_SOURCE", source)

    return filled


def thing() -> ThingSettings:
    return ThingSettings()


def test_the_environment_wins_over_the_store_and_the_store_over_defaults(
    fill: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill("ssm:/shop/t", {"/shop/t/thing/colour": "red", "/shop/t/thing/weight": "7"})
    monkeypatch.setenv("SHOP_COLOUR", "blue")

    settings = thing()

    assert (settings.colour, settings.weight, settings.port) == ("blue", 7, 1)


@pytest.mark.parametrize("source", ["ssm:/shop/t", "ssm:/shop/t/"])
def test_a_services_own_parameters_win_over_the_common_ones(fill: Fill, source: str) -> None:
    fill(
        source,
        {
            "/shop/t/common/SHOP_COLOUR": "red",
            "/shop/t/common/weight": "7",
            "/shop/t/thing/Colour": "green",
            "/shop/t/other/colour": "blue",
        },
    )

    assert (thing().colour, thing().weight) == ("green", 7)


def test_secrets_are_read_the_same_way(fill: Fill) -> None:
    common = json.dumps({"colour": "red", "weight": 7, "profile": "test"})
    fill(
        "secretsmanager:shop/t",
        secrets={"shop/t/common": common, "shop/t/thing": '{"SHOP_COLOUR": "green"}'},
    )

    settings = thing()

    assert (settings.colour, settings.weight, settings.profile) == ("green", 7, Profile.TEST)


@pytest.mark.parametrize("content", ["[]", "7", "null", "{", '"x"', '{"colour": ["hunter2"]}', ""])
def test_a_secret_that_is_no_object_is_named_and_not_shown(fill: Fill, content: str) -> None:
    fill("secretsmanager:shop/t", secrets={"shop/t/common": content})

    with pytest.raises(SettingsNotRead, match="shop/t/common") as refused:
        thing()

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("source", ["ssm", "ssm:", "ssm:/", "vault:/x", "/shop", "s3:bucket"])
def test_a_source_that_is_none_is_told_with_what_it_must_be(fill: Fill, source: str) -> None:
    fill(source)

    with pytest.raises(SettingsNotRead, match=r"SHOP_SETTINGS_SOURCE .* must be"):
        thing()


def test_a_store_that_holds_nothing_is_a_fault(fill: Fill) -> None:
    fill("ssm:/shop/t", {"/shop/other/common/colour": "red"})

    with pytest.raises(SettingsNotRead, match="holds no settings for 'thing'"):
        thing()


def test_what_neither_environment_nor_store_knows_is_named(
    fill: Fill, capsys: pytest.CaptureFixture[str]
) -> None:
    fill("ssm:/shop/t", {"/shop/t/thing/weight": "7"})

    with pytest.raises(SystemExit) as ended, told_plainly():
        thing()

    assert ended.value.code == EXIT_CODE
    assert capsys.readouterr().err.splitlines()[1:] == ["  SHOP_COLOUR: Field required"]


def test_a_value_that_does_not_fit_is_named_and_not_shown(
    fill: Fill, capsys: pytest.CaptureFixture[str]
) -> None:
    fill("ssm:/shop/t", {"/shop/t/thing/colour": "red", "/shop/t/thing/weight": "hunter2"})

    with pytest.raises(SystemExit), told_plainly():
        thing()

    told = capsys.readouterr().err
    assert "SHOP_WEIGHT: Input should be a valid integer" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (EndpointConnectionError(endpoint_url="http://user:hunter2@x"), "EndpointConnectionError"),
        (
            ClientError({"Error": {"Code": "AccessDeniedException", "Message": "hunter2"}}, "Get"),
            "AccessDeniedException",
        ),
    ],
)
def test_a_store_that_is_away_is_told_with_the_kind_of_failure(
    monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def away(_service: str) -> Any:
        raise error

    monkeypatch.setattr("common_lib.settings.sources.aws_client", away)

    with pytest.raises(SettingsNotRead, match=f"^ssm:/shop/t cannot be read: {why}$"):
        load("ssm:/shop/t", "thing")


def test_a_key_file_that_does_not_fit_ends_the_process_with_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended, told_plainly():
        raise UnfitForStart("the signing key x.pem cannot be read")

    assert ended.value.code == EXIT_CODE
    assert capsys.readouterr().err.endswith("  the signing key x.pem cannot be read\n")


def user(folder: Path, **changes: Any) -> UserSettings:
    given = production(folder) | {"database_url": DATABASE} | changes
    return UserSettings.model_validate(given)


def faults_of(settings: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as refused:
        settings()
    return str(refused.value)


def test_production_takes_what_is_its_own(tmp_path: Path) -> None:
    assert user(tmp_path).is_production


@pytest.mark.parametrize(
    ("name", "value", "variable"),
    [
        ("aws_access_key_id", "test", "SHOP_AWS_ACCESS_KEY_ID"),
        ("aws_secret_access_key", "test", "SHOP_AWS_SECRET_ACCESS_KEY"),
        ("aws_secret_access_key", "", "SHOP_AWS_SECRET_ACCESS_KEY"),
        ("aws_endpoint_url", "http://localstack:4566", "SHOP_AWS_ENDPOINT_URL"),
        ("jwks_url", "http://user:8081/.well-known/jwks.json", "SHOP_JWKS_URL"),
        ("redis_url", "redis://:changeme@redis:6379/0", "SHOP_REDIS_URL"),
        ("database_url", "mysql+asyncmy://shop:shop@db/x", "SHOP_DATABASE_URL"),
        ("database_url", "mysql+asyncmy://me:me@db/x", "SHOP_DATABASE_URL"),
        ("database_url", "mysql+asyncmy://shop@db/x", "SHOP_DATABASE_URL"),
        ("database_url", "mysql+asyncmy://shop:change%6De@db/x", "SHOP_DATABASE_URL"),
        ("database_read_urls", f"{DATABASE},mysql://a:root@db/x", "SHOP_DATABASE_READ_URLS"),
        ("bcrypt_rounds", 4, "SHOP_BCRYPT_ROUNDS"),
        ("login_limit_per_15min", 51, "SHOP_LOGIN_LIMIT_PER_15MIN"),
        ("register_limit_per_hour", 100_000, "SHOP_REGISTER_LIMIT_PER_HOUR"),
    ],
)
def test_production_names_what_it_refuses(
    tmp_path: Path, name: str, value: object, variable: str
) -> None:
    assert variable in faults_of(lambda: user(tmp_path, **{name: value}))
    assert UserSettings.model_validate({"database_url": DATABASE, name: value}), "dev takes it"


def test_production_names_everything_at_once_and_repeats_no_secret(tmp_path: Path) -> None:
    told = faults_of(
        lambda: user(
            tmp_path,
            bcrypt_rounds=4,
            redis_url="redis://:changeme@redis/0",
            database_url="mysql+asyncmy://hunter2:hunter2@db/x",
        )
    )

    assert all(f"SHOP_{name}" in told for name in ("BCRYPT_ROUNDS", "REDIS_URL", "DATABASE_URL"))
    assert "changeme" not in told
    assert "hunter2" not in told


@pytest.mark.parametrize("name", ["service_token_key_file", "jwt_private_key_file"])
def test_production_refuses_the_keys_of_a_local_stack(tmp_path: Path, name: str) -> None:
    made = tmp_path / "made.pem"
    create_if_absent(made)

    told = faults_of(lambda: user(tmp_path, **{name: made}))

    assert f"SHOP_{name.upper()}: {made} was made for development" in told


@pytest.mark.parametrize(
    "name", ["service_token_key_file", "jwt_private_key_file", "jwt_next_key_file"]
)
def test_production_refuses_a_key_that_everybody_may_read(tmp_path: Path, name: str) -> None:
    key = tmp_path / "own.pem"
    write_for_owner(key, new_signing_key())
    assert user(tmp_path, **{name: key})

    key.chmod(0o644)

    assert f"everybody on this machine may open {key}" in faults_of(
        lambda: user(tmp_path, **{name: key})
    )


def test_a_mesh_that_encrypts_lets_plain_http_pass(tmp_path: Path) -> None:
    jwks = "http://user:8081/.well-known/jwks.json"

    assert user(tmp_path, jwks_url=jwks, has_encrypted_network=True).jwks_url == jwks


@pytest.mark.parametrize("secret", [*sorted(PUBLISHED_SECRETS), "ChangeMe", "fifteen-letters"])
def test_production_refuses_a_webhook_secret_that_is_known_or_short(
    tmp_path: Path, secret: str
) -> None:
    key = {"service_token_key_file": production(tmp_path)["service_token_key_file"]}
    given = {"profile": "production", "database_url": DATABASE, **key}

    told = faults_of(
        lambda: OrderSettings.model_validate(given | {"payment_webhook_secret": secret})
    )

    assert "SHOP_PAYMENT_WEBHOOK_SECRET" in told
    assert OrderSettings.model_validate(given | {"payment_webhook_secret": SECRET})


@pytest.mark.parametrize("name", ["rate_limit_per_minute", "login_limit_per_minute"])
def test_production_refuses_a_gateway_without_a_real_limit(tmp_path: Path, name: str) -> None:
    key = {"service_token_key_file": production(tmp_path)["service_token_key_file"]}

    told = faults_of(
        lambda: GatewaySettings.model_validate({"profile": "production", **key, name: 100_000})
    )

    assert f"SHOP_{name.upper()} is 100000" in told


@pytest.mark.parametrize(("profile", "is_shown"), [("dev", True), ("production", False)])
def test_the_page_of_the_api_is_for_development(
    tmp_path: Path, profile: str, is_shown: bool
) -> None:
    key = {"service_token_key_file": production(tmp_path)["service_token_key_file"]}

    app = build_app(GatewaySettings.model_validate({"profile": profile, **key}))

    assert app._is_local(b"/docs") is is_shown


def test_a_database_is_asked_for_by_its_variable() -> None:
    assert "database_url" in faults_of(lambda: DatabaseSettings.model_validate({"port": 1}))
