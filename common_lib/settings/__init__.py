"""What every process reads from its environment, once, at start."""

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from common_lib.settings.production import (
    key_file_faults,
    limit_faults,
    password_faults,
    plain_http_faults,
    secret_faults,
)
from common_lib.settings.sources import COMMON, VARIABLE, StoreSource


class Profile(StrEnum):
    DEV = "dev"
    TEST = "test"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


# A comma-separated list in the environment, a tuple in the program.
UrlList = Annotated[tuple[str, ...], NoDecode]


class ServiceSettings(BaseSettings):
    """The settings shared by all processes; each service adds its own fields.

    Environment variables are the field names in capitals with the prefix ``SHOP_``; what they do
    not say, the store named by SHOP_SETTINGS_SOURCE may. Reading raises pydantic's ValidationError
    naming the variable that is missing or wrong, or SettingsNotRead.
    """

    # The part of the store that is this service's own.
    section: ClassVar[str] = COMMON

    # A secret that does not fit is not repeated in the error.
    model_config = SettingsConfigDict(
        env_prefix="SHOP_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    profile: Profile = Profile.DEV
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)]

    redis_url: str = "redis://127.0.0.1:6379/0"
    redis_timeout_s: Annotated[float, Field(gt=0, le=10)] = 0.1

    aws_endpoint_url: str | None = None
    aws_region: str = "ap-south-1"
    aws_account_id: str = "000000000000"
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None

    # Says that a service mesh encrypts what leaves a process by http.
    has_encrypted_network: bool = False

    jwt_issuer: str = "https://shop.example"
    jwt_audience: str = "shop"
    jwks_url: str = "http://127.0.0.1:8081/.well-known/jwks.json"
    service_token_key_file: Path = Path(".local/keys/service.pem")

    user_url: UrlList = ("http://127.0.0.1:8081",)
    catalog_url: UrlList = ("http://127.0.0.1:8082",)
    order_url: UrlList = ("http://127.0.0.1:8083",)
    notification_url: UrlList = ("http://127.0.0.1:8084",)

    log_format: LogFormat = LogFormat.JSON
    log_level: str = "INFO"
    trace_sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    otlp_endpoint: str | None = None
    zipkin_endpoint: str | None = None

    consumer_wait_s: Annotated[int, Field(ge=1, le=20)] = 20
    consumer_visibility_s: Annotated[int, Field(ge=1, le=43_200)] = 60

    # Whether strangers may read what there is to call; unset: not in production.
    shows_openapi: bool | None = None
    # Whether /metrics answers whoever reaches the port of the API; unset: not in production.
    shows_metrics: bool | None = None

    problem_base_url: str = "/problems"
    max_body_bytes: int = 64 * 1024
    body_timeout_s: float = 15.0
    # Told to stop, a process is not ready and accepts for `announce` (as long as a load balancer
    # needs to notice), keeps connections at rest for `idle`, requests under way for `grace`.
    shutdown_announce_s: Annotated[float, Field(ge=0)] = 0.25
    shutdown_idle_s: Annotated[float, Field(ge=0)] = 2.0
    shutdown_grace_s: float = 20.0

    @field_validator(
        "user_url",
        "catalog_url",
        "order_url",
        "notification_url",
        mode="before",
        check_fields=False,
    )
    @classmethod
    def _split_urls(cls, value: object) -> object:
        return split_list(value)

    @model_validator(mode="after")
    def _fits_production(self) -> Self:
        faults = tuple(self.production_faults()) if self.is_production else ()
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def production_faults(self) -> Iterator[str]:
        """Say what production refuses of these settings; each service adds its own."""
        secret = self.aws_secret_access_key
        if secret is not None:
            yield from secret_faults("SHOP_AWS_SECRET_ACCESS_KEY", secret.get_secret_value())
        if self.aws_access_key_id is not None:
            yield from secret_faults("SHOP_AWS_ACCESS_KEY_ID", self.aws_access_key_id)
        yield from password_faults("SHOP_REDIS_URL", [self.redis_url], may_be_none=True)
        yield from key_file_faults("SHOP_SERVICE_TOKEN_KEY_FILE", self.service_token_key_file)
        if not self.has_encrypted_network:
            yield from plain_http_faults("SHOP_JWKS_URL", self.jwks_url)
            yield from plain_http_faults("SHOP_AWS_ENDPOINT_URL", self.aws_endpoint_url)
        fields = type(self).model_fields
        given = {name: getattr(self, name) for name in fields}
        yield from limit_faults(given, {name: field.default for name, field in fields.items()})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, below it the store it names, below that the defaults."""
        del dotenv_settings, file_secret_settings
        store = os.environ.get(VARIABLE)
        if not store:
            return init_settings, env_settings
        return init_settings, env_settings, StoreSource(settings_cls, store, cls.section)

    @property
    def has_openapi(self) -> bool:
        return not self.is_production if self.shows_openapi is None else self.shows_openapi

    @property
    def has_open_metrics(self) -> bool:
        return not self.is_production if self.shows_metrics is None else self.shows_metrics

    @property
    def own_metrics_port(self) -> int | None:
        """Return the port that serves the metrics of a service beside its API, if there is one."""
        return None

    @property
    def is_production(self) -> bool:
        return self.profile is Profile.PRODUCTION


class DatabaseSettings(ServiceSettings):
    """What a process with a database needs besides."""

    database_url: str
    database_read_urls: UrlList = ()
    database_pool_size: int = 16
    database_max_overflow: int = 8
    # How long a request waits for a connection when all are in use.
    database_pool_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    # How many processes share the server: with their pools they must fit into its max_connections.
    database_processes: Annotated[int, Field(ge=1)] = 2
    service_metrics_port: Annotated[int | None, Field(ge=1, le=65535)] = None

    @property
    def own_metrics_port(self) -> int | None:
        return self.service_metrics_port

    def production_faults(self) -> Iterator[str]:
        yield from super().production_faults()
        yield from password_faults("SHOP_DATABASE_URL", [self.database_url], may_be_none=False)
        urls = self.database_read_urls
        yield from password_faults("SHOP_DATABASE_READ_URLS", urls, may_be_none=False)

    @field_validator("database_read_urls", mode="before")
    @classmethod
    def _split_read_urls(cls, value: object) -> object:
        return split_list(value)


def split_list(value: object) -> object:
    """Turn a comma-separated text into a tuple; leave anything else alone."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
