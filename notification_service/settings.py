"""What the notification service reads from its environment."""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from common_lib.settings import DatabaseSettings

# Connecting to SES, and noting the outcome.
LEASE_MARGIN_S: Final = 4.0


class Settings(DatabaseSettings):
    section: ClassVar[str] = "notification"

    port: Annotated[int, Field(ge=1, le=65535)] = 8084

    mail_sender: str = "noreply@ecommerce.com"
    ops_address: str = "ops@ecommerce.com"
    brand: str = "The Shop"
    storefront_url: str = "http://localhost:8080"

    consumer_visibility_s: Annotated[int, Field(gt=0, le=900)] = 60
    mail_timeout_s: Annotated[float, Field(gt=0, le=30)] = 8.0
    dead_letter_check_s: Annotated[float, Field(gt=0)] = 30.0

    @property
    def mail_lease_s(self) -> float:
        """How long a claim holds: longer than SES may take, and over when a message returns."""
        return max(self.mail_timeout_s + LEASE_MARGIN_S, self.consumer_visibility_s / 2)
