"""Money as integer minor units with an ISO 4217 currency; never a float."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from common_lib.text import Verbatim

# Ten billion major units: above any price or total of a shop, far below a signed BIGINT.
MAX_MINOR = 10**12 - 1

# ISO 4217, list one: the currencies whose minor unit is not a hundredth.
# https://www.six-group.com/dam/download/financial-information/data-center/iso-currrency/lists/list-one.xml
_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND"
_DECIMALS: Final = {
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
    **dict.fromkeys(_THREE_DECIMALS.split(), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_USUAL_DECIMALS: Final = 2

MinorUnits = Annotated[StrictInt, Field(ge=0, le=MAX_MINOR)]
CURRENCY: Final = r"^[A-Z]{3}$"
CURRENCY_WANTED: Final = "Write the currency in three capital letters, such as INR"
CurrencyCode = Annotated[
    str, Field(pattern=CURRENCY), Verbatim("checked by pydantic for every amount of every answer")
]


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


def decimals(currency: str) -> int:
    """Return how many decimals an amount has: 2 for INR, 0 for JPY, 3 for KWD (ISO 4217)."""
    return _DECIMALS.get(currency, _USUAL_DECIMALS)


def major_units(amount: int, currency: str) -> Decimal:
    """Return minor units as an amount with the currency's own decimals: 1499.00, 1499, 1.499."""
    return Decimal(amount).scaleb(-decimals(currency))
