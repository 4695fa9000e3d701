"""From the cells of a row to values, checked by the models of the API itself."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import ValidationError

from catalog_service.models.products import ProductStatus
from catalog_service.schemas.imports import ProductCells
from catalog_service.schemas.products import VariantIn
from catalog_service.services.imports import format as csv_format
from catalog_service.services.imports.categories import CategoryNames, NoCategory
from catalog_service.services.imports.numbers import NoNumber, minor_units, whole_number
from catalog_service.services.imports.reader import Row, RowError
from common_lib.problems import sentence_of

T = TypeVar("T")
_CURRENCY: Final = re.compile("[A-Z]{3}")
_MAX_DETAIL: Final = 255
_NO_CATEGORY: Final = UUID(int=0)
# A file has cells where JSON has texts.
_WORDS: Final[Mapping[str, str]] = {"string_too_short": "the cell is empty"}
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


def product_cells(row: Row, categories: CategoryNames, *, is_new: bool) -> ProductCells:
    """Return what the first row of a product says of it. Raises BadRow."""
    cells = _Reading(row)
    if is_new and cells.text(csv_format.STATUS).upper() == ProductStatus.ARCHIVED:
        cells.refuse(csv_format.STATUS, "literal_error", "a new product is DRAFT or ACTIVE")
    raw = {
        "name": cells.text(csv_format.NAME),
        "description": row.cells[csv_format.DESCRIPTION],
        "categoryId": cells.category(categories),
        "status": cells.text(csv_format.STATUS).upper() or None,
    }
    return cells.checked(lambda: ProductCells.model_validate(raw), _COLUMN_OF)


def variant_cells(
    row: Row, *, currency: str, is_new: bool, faults: Iterable[RowError] = ()
) -> VariantCells:
    """Return what a row says of its variant; only a new one needs its stock.

    Raises BadRow with all that is wrong, `faults` included.
    """
    cells = _Reading(row, faults)
    cells.currency(currency)
    price = cells.price(csv_format.PRICE, currency)
    compare_at = cells.optional(csv_format.COMPARE_AT, lambda name: cells.price(name, currency))
    if compare_at is not None and compare_at < price:
        detail = "the price to compare with is below the price"
        cells.refuse(csv_format.COMPARE_AT, "below_price", detail)
    stock = cells.number(csv_format.QUANTITY) if is_new else 0
    level = cells.optional(csv_format.REORDER_LEVEL, cells.number) if is_new else None
    raw = {
        "sku": cells.text(csv_format.SKU),
        "name": cells.text(csv_format.VARIANT_NAME),
        "price": {"amount": price, "currency": currency},
        "compareAtPrice": None
        if compare_at is None
        else {"amount": compare_at, "currency": currency},
        "attributes": cells.attributes(),
        "quantity": stock,
        "reorderLevel": level or 0,
    }
    is_active = cells.flag(csv_format.ACTIVE)
    columns = {**_COLUMN_OF, "name": csv_format.VARIANT_NAME}
    variant = cells.checked(lambda: VariantIn.model_validate(raw), columns)
    given = frozenset(
        csv_format.ATTRIBUTES if name.startswith(csv_format.ATTRIBUTE_PREFIX) else name
        for name in row.cells
    )
    return VariantCells(row.line, variant, is_active, given)


class _Reading:
    """One row being read: what is wrong is gathered, so that all of it is told at once."""

    def __init__(self, row: Row, faults: Iterable[RowError] = ()) -> None:
        self._row = row
        self._errors = {fault.column: fault for fault in faults}

    def refuse(self, column: str, code: str, detail: str) -> None:
        """Note what is wrong with a cell; a further fault of one cell is added in words."""
        before = self._errors.get(column)
        if before is not None:
            code, detail = before.code, f"{before.detail}; {detail}"
        self._errors[column] = RowError(self._row.line, column, code, detail[:_MAX_DETAIL])

    def text(self, column: str) -> str:
        return self._row.cells.get(column, "").strip()

    def optional(self, column: str, read: Callable[[str], int]) -> int | None:
        return read(column) if self.text(column) else None

    def category(self, categories: CategoryNames) -> UUID:
        text = self.text(csv_format.CATEGORY)
        if not text:
            self.refuse(csv_format.CATEGORY, "missing", "a product needs a category")
            return _NO_CATEGORY
        try:
            return categories.find(text)
        except NoCategory as error:
            self.refuse(csv_format.CATEGORY, error.code, error.detail)
            return _NO_CATEGORY

    def currency(self, wanted: str) -> None:
        named = self.text(csv_format.CURRENCY).upper() or wanted
        if named != wanted:
            kind = "unsupported_currency"
            if _CURRENCY.fullmatch(named) is None:
                kind = "string_pattern_mismatch"
            self.refuse(csv_format.CURRENCY, kind, f"prices are in {wanted}")

    def price(self, column: str, currency: str) -> int:
        return self._number(column, lambda text: minor_units(text, currency))

    def number(self, column: str) -> int:
        return self._number(column, whole_number)

    def _number(self, column: str, read: Callable[[str], int]) -> int:
        text = self.text(column)
        if not text:
            self.refuse(column, "missing", "the cell is empty")
            return 0
        try:
            return read(text)
        except NoNumber as error:
            self.refuse(column, error.code, error.detail)
            return 0

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
        if any(found and found.get(name, value) != value for name, value in single.items()):
            detail = "a column of its own says something else of one of these attributes"
            self.refuse(csv_format.ATTRIBUTES, "differs", detail)
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


def _objections(
    error: ValidationError, columns: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    found: list[Any] = error.errors(include_url=False, include_input=False)
    for entry in found:
        name, kind = str(entry["loc"][0]), entry["type"]
        yield columns.get(name, name), kind, _WORDS.get(kind) or sentence_of(entry)
