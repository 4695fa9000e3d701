"""What the notification service reads from its environment."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from common_lib.settings import DatabaseSettings
from common_lib.settings.production import public_url_faults

NAME: Final = "notification-service"
# Connecting to SES, and noting the outcome.
LEASE_MARGIN_S: Final = 4.0


def _without_slash(url: str) -> str:
    """Links are made by adding a path."""
    return url.rstrip("/")


class Settings(DatabaseSettings):
    section: ClassVar[str] = "notification"

    port: Annotated[int, Field(ge=1, le=65535)] = 8084

    mail_sender: str = "noreply@ecommerce.com"
    ops_address: str = "ops@ecommerce.com"
    brand: str = "The Shop"
    # Where the gateway is reached by those who read mails: it serves the pages that links lead to.
    storefront_url: Annotated[
        str, Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$"), AfterValidator(_without_slash)
    ] = "http://localhost:8080"

    consumer_visibility_s: Annotated[int, Field(gt=0, le=900)] = 60
    mail_timeout_s: Annotated[float, Field(gt=0, le=30)] = 8.0
    # So many mails a process may have handed to SES without having marked them SENT: as many come
    # twice when the process or its database is killed just then.
    mails_at_once: Annotated[int, Field(ge=1, le=10)] = 1
    dead_letter_check_s: Annotated[float, Field(gt=0)] = 30.0

    def production_faults(self) -> Iterator[str]:
        yield from super().production_faults()
        yield from public_url_faults("SHOP_STOREFRONT_URL", self.storefront_url)

    @property
    def mail_lease_s(self) -> float:
        """How long a claim holds: longer than SES may take, and over when a message returns."""
        return max(self.patience_s, self.consumer_visibility_s / 2)

    @property
    def patience_s(self) -> float:
        """How long handing a mail to SES and noting it may take."""
        return self.mail_timeout_s + LEASE_MARGIN_S
