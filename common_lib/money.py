"""Money as integer minor units with an ISO 4217 currency; never a float."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

# Ten billion major units: above any price or total of a shop, far below a signed BIGINT.
MAX_MINOR = 10**12 - 1

MinorUnits = Annotated[StrictInt, Field(ge=0, le=MAX_MINOR)]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Money(BaseModel):
    """An amount in minor units (paise for INR). Adding different currencies raises ValueError."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    amount: MinorUnits
    currency: CurrencyCode = "INR"

    def __add__(self, other: "Money") -> "Money":
        return Money(amount=self.amount + self._same(other), currency=self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(amount=self.amount - self._same(other), currency=self.currency)

    def times(self, quantity: int) -> "Money":
        return Money(amount=self.amount * quantity, currency=self.currency)

    def percentage(self, basis_points: int) -> "Money":
        """Return the share given in hundredths of a percent, rounded half up once."""
        share = Decimal(self.amount) * basis_points / Decimal(10_000)
        amount = int(share.quantize(Decimal(1), rounding=ROUND_HALF_UP))
        return Money(amount=amount, currency=self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError("amounts of different currencies cannot be combined")
        return other.amount


def total(amounts: Iterable[Money], currency: str = "INR") -> Money:
    return sum(amounts, start=Money(amount=0, currency=currency))
