"""What the gateway reads from its environment, besides what every process reads."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from common_lib.settings import ServiceSettings, split_list

TextList = Annotated[tuple[str, ...], NoDecode]
NetworkList = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode]


class GatewaySettings(ServiceSettings):
    section: ClassVar[str] = "gateway"

    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    metrics_port: Annotated[int, Field(ge=1, le=65535)] = 9080

    # Requests in any 60 s: of a user, of an address without a token, of a webhook sender's address.
    rate_limit_per_minute: Annotated[int, Field(ge=1)] = 100
    webhook_limit_per_minute: Annotated[int, Field(ge=1)] = 6000
    # Of an address, besides: logins, registrations, forgotten passwords, second factors.
    login_limit_per_minute: Annotated[int, Field(ge=1)] = 20
    register_limit_per_minute: Annotated[int, Field(ge=1)] = 10
    forgot_limit_per_minute: Annotated[int, Field(ge=1)] = 5
    mfa_limit_per_minute: Annotated[int, Field(ge=1)] = 10
    # Where SSM holds limits that change while the gateway runs; empty: nowhere.
    live_settings_path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.-]+)*/?$")] = ""
    live_settings_poll_s: Annotated[float, Field(gt=0, le=60)] = 2.0

    max_header_bytes: int = 16 * 1024
    header_timeout_s: float = 10.0
    max_in_flight: int = 4096
    # The catalog reads the same variable.
    import_max_bytes: Annotated[int, Field(gt=0)] = 10 * 1024 * 1024

    # Where the pages may show pictures from; the catalog reads the same two.
    image_bucket: str = "shop-images"
    image_public_url: str = ""

    connect_timeout_s: float = 1.0
    upstream_timeout_s: float = 15.0
    # Below the services' keep-alive time: a connection is dropped here before it is closed there.
    upstream_idle_s: float = 30.0

    # Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
    trusted_proxies: NetworkList = ()
    cors_origins: TextList = ()

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return split_list(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        parts = split_list(value)
        return tuple(ip_network(part) for part in parts) if isinstance(parts, tuple) else parts

    @property
    def image_origins(self) -> tuple[str, ...]:
        """The origin of the pictures' addresses, as the catalog makes them."""
        bucket = f"https://{self.image_bucket}.s3.{self.aws_region}.amazonaws.com"
        parts = urlsplit(self.image_public_url or self.aws_endpoint_url or bucket)
        return (f"{parts.scheme}://{parts.netloc}",)
