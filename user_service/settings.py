"""What the user service reads from its environment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Final

from pydantic import Field, field_validator

from common_lib.settings import DatabaseSettings, UrlList, split_list
from common_lib.settings.production import key_file_faults

ACCOUNTS_PER_TAKEN: Final = 20
RECIPIENTS_PER_CALLER: Final = 4
MIN_BCRYPT_ROUNDS: Final = 12
PositiveInt = Annotated[int, Field(gt=0)]


class Settings(DatabaseSettings):
    """The limits' defaults are those of production; the dev profile's stack widens them."""

    section: ClassVar[str] = "user"

    port: Annotated[int, Field(ge=1, le=65535)] = 8081

    jwt_private_key_file: Path = Path(".local/keys/jwt.pem")
    jwt_next_key_file: Path | None = None
    # Fernet keys, one a line: the first encrypts the secrets of authenticators, all decrypt them.
    field_key_file: Path = Path(".local/keys/field.key")
    # The name under which an authenticator app lists an account.
    shop_name: Annotated[str, Field(min_length=1, max_length=64)] = "Shop"
    refresh_token_ttl_s: PositiveInt = 30 * 24 * 60 * 60

    # 250 ms of one core per hash at cost 12.
    bcrypt_rounds: Annotated[int, Field(ge=4, le=16)] = 12
    bcrypt_threads: PositiveInt = 2
    bcrypt_queue: PositiveInt = 32

    # Failed logins per account and address.
    login_limit_per_15min: PositiveInt = 5
    # How often one address may learn that an e-mail address is taken; it may open twenty times as
    # many accounts or guest carts.
    register_limit_per_hour: PositiveInt = 5
    # How many links to verify or reset one recipient is sent; four times as many per caller.
    mail_limit_per_hour: PositiveInt = 5
    max_addresses: PositiveInt = 50
    # A login waits this long for the guest's cart; then the cart is left for later.
    order_timeout_s: Annotated[float, Field(gt=0)] = 1.0
    # Whose X-Forwarded-For is believed: the gateway's networks.
    trusted_proxies: UrlList = (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        return split_list(value)

    def production_faults(self) -> Iterator[str]:
        yield from super().production_faults()
        yield from key_file_faults("SHOP_JWT_PRIVATE_KEY_FILE", self.jwt_private_key_file)
        yield from key_file_faults("SHOP_JWT_NEXT_KEY_FILE", self.jwt_next_key_file)
        yield from key_file_faults("SHOP_FIELD_KEY_FILE", self.field_key_file)
        if self.bcrypt_rounds < MIN_BCRYPT_ROUNDS:
            yield f"SHOP_BCRYPT_ROUNDS is {self.bcrypt_rounds}: at least {MIN_BCRYPT_ROUNDS}"

    @property
    def accounts_limit_per_hour(self) -> int:
        return self.register_limit_per_hour * ACCOUNTS_PER_TAKEN

    @property
    def mails_per_caller_and_hour(self) -> int:
        return self.mail_limit_per_hour * RECIPIENTS_PER_CALLER
