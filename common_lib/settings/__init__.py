"""What every process reads from its environment, once, at start."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Profile(StrEnum):
    DEV = "dev"
    TEST = "test"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


# A comma-separated list in the environment, a tuple in the program.
UrlList = Annotated[tuple[str, ...], NoDecode]

DEV_ONLY_SECRETS: Sequence[str] = ("test", "dev", "secret", "changeme")


class ServiceSettings(BaseSettings):
    """The settings shared by all processes; each service adds its own fields.

    Environment variables are the field names in capitals with the prefix ``SHOP_``. Reading
    raises pydantic's ValidationError naming the variable that is missing or wrong.
    """

    model_config = SettingsConfigDict(env_prefix="SHOP_", frozen=True, extra="ignore")

    profile: Profile = Profile.DEV
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)]

    redis_url: str = "redis://127.0.0.1:6379/0"

    aws_endpoint_url: str | None = None
    aws_region: str = "ap-south-1"
    aws_account_id: str = "000000000000"
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None

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

    consumer_wait_s: Annotated[int, Field(ge=0, le=20)] = 20
    consumer_visibility_s: Annotated[int, Field(ge=1, le=43_200)] = 60

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
    def _production_has_no_dev_secrets(self) -> Self:
        secret = self.aws_secret_access_key
        if (
            self.profile is Profile.PRODUCTION
            and secret
            and secret.get_secret_value() in DEV_ONLY_SECRETS
        ):
            raise ValueError("SHOP_AWS_SECRET_ACCESS_KEY is a development default")
        return self

    @property
    def is_production(self) -> bool:
        return self.profile is Profile.PRODUCTION


class DatabaseSettings(ServiceSettings):
    """What a process with a database needs besides."""

    database_url: str
    database_read_urls: UrlList = ()
    database_pool_size: int = 16
    database_max_overflow: int = 8

    @field_validator("database_read_urls", mode="before")
    @classmethod
    def _split_read_urls(cls, value: object) -> object:
        return split_list(value)


def split_list(value: object) -> object:
    """Turn a comma-separated text into a tuple; leave anything else alone."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
