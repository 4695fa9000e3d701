"""From the cells of a row to values, checked by the models of the API itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import ValidationError

from catalog_service.schemas.imports import ProductCells
from catalog_service.schemas.products import VariantIn
from catalog_service.services.imports import format as csv_format
from catalog_service.services.imports.reader import Row, RowError
from catalog_service.services.products.rules import InvalidProduct
from catalog_service.services.products.variants import check_prices

T = TypeVar("T")
_MAX_DETAIL: Final = 255
_NO_CATEGORY: Final = UUID(int=0)
_COLUMN_OF: Final[Mapping[str, str]] = {
    "name": csv_format.NAME,
    "categoryId": csv_format.CATEGORY,
    "compareAtPrice": csv_format.COMPARE_AT,
    "reorderLevel": csv_format.REORDER_LEVEL,
}


class BadRow(Exception):
    """A row that is not taken, and all that is wrong with it."""

    def __init__(self, *errors: RowError) -> None:
        super().__init__()
        self.errors = errors


@dataclass(frozen=True, slots=True)
class VariantCells:
    """A row as a variant; `given` are the optional columns that the file has."""

    line: int
    variant: VariantIn
    is_active: bool
    given: frozenset[str]


@dataclass(frozen=True, slots=True)
class CategoryNames:
    """The tree by slug and by path (`Clothing > Kurtas`), in lower case."""

    by_name: Mapping[str, UUID] = field(default_factory=dict)

    def find(self, text: str) -> UUID | None:
        parts = (part.strip().casefold() for part in text.split(csv_format.CATEGORY_SEPARATOR))
        return self.by_name.get(csv_format.CATEGORY_SEPARATOR.join(parts))


def product_cells(row: Row, categories: CategoryNames) -> ProductCells:
    """Return what the first row of a product says of it. Raises BadRow."""
    cells = _Reading(row)
    category_id = categories.find(cells.text(csv_format.CATEGORY))
    if not cells.text(csv_format.CATEGORY):
        cells.refuse(csv_format.CATEGORY, "missing", "a product needs a category")
    elif category_id is None:
        cells.refuse(csv_format.CATEGORY, "unknown_category", "there is no such category")
    raw = {
        "name": cells.text(csv_format.NAME),
        "description": row.cells[csv_format.DESCRIPTION],
        "categoryId": category_id or _NO_CATEGORY,
        "status": cells.text(csv_format.STATUS).upper() or None,
    }
    return cells.checked(lambda: ProductCells.model_validate(raw), _COLUMN_OF)


def variant_cells(row: Row, *, currency: str, is_new: bool) -> VariantCells:
    """Return what a row says of its variant; only a new one needs its stock. Raises BadRow."""
    cells = _Reading(row)
    price = cells.price(csv_format.PRICE)
    compare_at = cells.optional(csv_format.COMPARE_AT, cells.price)
    named = cells.text(csv_format.CURRENCY).upper() or currency
    stock = cells.number(csv_format.QUANTITY) if is_new else 0
    level = cells.optional(csv_format.REORDER_LEVEL, cells.number) if is_new else None
    raw = {
        "sku": cells.text(csv_format.SKU),
        "name": cells.text(csv_format.VARIANT_NAME),
        "price": {"amount": price, "currency": named},
        "compareAtPrice": None if compare_at is None else {"amount": compare_at, "currency": named},
        "attributes": cells.attributes(),
        "quantity": stock,
        "reorderLevel": level or 0,
    }
    is_active = cells.flag(csv_format.ACTIVE)
    columns = {**_COLUMN_OF, "name": csv_format.VARIANT_NAME}
    variant = cells.checked(lambda: VariantIn.model_validate(raw), columns)
    _check_prices(row, variant, currency)
    given = frozenset(
        csv_format.ATTRIBUTES if name.startswith(csv_format.ATTRIBUTE_PREFIX) else name
        for name in row.cells
    )
    return VariantCells(row.line, variant, is_active, given)


def _check_prices(row: Row, variant: VariantIn, currency: str) -> None:
    try:
        check_prices("", variant.price, variant.compare_at_price, currency)
    except InvalidProduct as error:
        found = error.errors[0]
        column = csv_format.CURRENCY if "currency" in found.pointer else csv_format.COMPARE_AT
        raise BadRow(RowError(row.line, column, found.code, found.detail)) from None


class _Reading:
    """One row being read: what is wrong is gathered, so that all of it is told at once."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._errors: dict[str, RowError] = {}

    def refuse(self, column: str, code: str, detail: str) -> None:
        error = RowError(self._row.line, column, code, detail[:_MAX_DETAIL])
        self._errors.setdefault(column, error)

    def text(self, column: str) -> str:
        return self._row.cells.get(column, "").strip()

    def optional(self, column: str, read: Callable[[str], int]) -> int | None:
        return read(column) if self.text(column) else None

    def price(self, column: str) -> int:
        amount = csv_format.minor_units(self._required(column))
        if amount is None:
            self.refuse(column, "decimal_parsing", "an amount is written like 1499.00")
        return amount or 0

    def number(self, column: str) -> int:
        value = csv_format.whole_number(self._required(column))
        if value is None:
            self.refuse(column, "int_parsing", "a whole number is wanted")
        return value or 0

    def flag(self, column: str) -> bool:
        """Read a flag that is true unless the file says otherwise."""
        text = self.text(column)
        value = csv_format.yes_or_no(text) if text else True
        if value is None:
            self.refuse(column, "bool_parsing", "either true or false is wanted")
        return value is not False

    def attributes(self) -> dict[str, str]:
        """Join the column of pairs and those of single attributes; blank ones count as absent."""
        found = csv_format.attributes_of(self._row.cells.get(csv_format.ATTRIBUTES, ""))
        if found is None:
            detail = "attributes are written like color=Red;size=M, each once"
            self.refuse(csv_format.ATTRIBUTES, "attributes_parsing", detail)
        single = {
            name.removeprefix(csv_format.ATTRIBUTE_PREFIX): cell
            for name, cell in self._row.cells.items()
            if name.startswith(csv_format.ATTRIBUTE_PREFIX) and cell
        }
        return {**(found or {}), **single}

    def checked(self, validate: Callable[[], T], columns: Mapping[str, str]) -> T:
        """Return what the model makes of it. Raises BadRow with its objections and ours."""
        try:
            value = validate()
        except ValidationError as error:
            for column, code, detail in _objections(error, columns):
                self.refuse(column, code, detail)
            raise BadRow(*self._errors.values()) from None
        if self._errors:
            raise BadRow(*self._errors.values())
        return value

    def _required(self, column: str) -> str:
        text = self.text(column)
        if not text:
            self.refuse(column, "missing", "the cell is empty")
        return text


def _objections(
    error: ValidationError, columns: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    found: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    for entry in found:
        location = entry["loc"]
        name = str(location[0])
        is_currency = location[-1] == "currency"
        column = csv_format.CURRENCY if is_currency else columns.get(name, name)
        yield column, entry["type"], entry["msg"].removeprefix("Value error, ")
