"""What the user service reads from its environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from common_lib.settings import DatabaseSettings

PositiveInt = Annotated[int, Field(gt=0)]


class Settings(DatabaseSettings):
    """The limits' defaults are those of production; the dev profile's stack widens them."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8081

    jwt_private_key_file: Path = Path(".local/keys/jwt.pem")
    jwt_next_key_file: Path | None = None
    refresh_token_ttl_s: PositiveInt = 30 * 24 * 60 * 60

    # 250 ms of one core per hash at cost 12.
    bcrypt_rounds: Annotated[int, Field(ge=4, le=16)] = 12
    bcrypt_threads: PositiveInt = 2
    bcrypt_queue: PositiveInt = 32

    login_limit_per_15min: PositiveInt = 5
    register_limit_per_hour: PositiveInt = 5
    guest_limit_per_hour: PositiveInt = 60
    max_addresses: PositiveInt = 50
