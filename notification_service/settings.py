"""What the notification service reads from its environment."""

from typing import Annotated

from pydantic import Field

from common_lib.settings import DatabaseSettings


class Settings(DatabaseSettings):
    port: Annotated[int, Field(ge=1, le=65535)] = 8084

    mail_sender: str = "noreply@ecommerce.com"
    ops_address: str = "ops@ecommerce.com"
    brand: str = "The Shop"
    storefront_url: str = "http://localhost:8080"

    # Longer than SES may take to answer, shorter than a message stays invisible (60 s).
    mail_lease_s: Annotated[float, Field(gt=10, lt=60)] = 30.0
    mail_timeout_s: Annotated[float, Field(gt=0, lt=10)] = 8.0
    dead_letter_check_s: Annotated[float, Field(gt=0)] = 30.0
