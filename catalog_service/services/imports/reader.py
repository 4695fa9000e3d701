"""Reading a product file: its header once, then its rows as products, a few at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from catalog_service.services.imports import format as csv_format
from catalog_service.services.imports.header import Columns, columns_of, is_attribute
from catalog_service.services.imports.records import TooManyRows, is_text, records_of
from common_lib.errors import Rejected
from common_lib.problems import InvalidUtf8

_CURLY: Final = ("\u201c", "\u201d", "\u201e")


class EmptyFile(Rejected):
    code = "csv_empty"
    title = "The file has no rows"


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one cell, without its content; `line` counts from 1, the header's."""

    line: int
    column: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file by column; `errors` instead where it could not be read."""

    line: int
    cells: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[RowError, ...] = ()
    repeats_sku: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring rows with one handle: a product. A repeated one's handle came up before."""

    handle: str
    rows: list[Row]
    is_repeat: bool


def check(source: bytes, *, max_rows: int) -> int:
    """Return how many rows the file has.

    Raises InvalidUtf8, EmptyFile, WrongHeader, TooManyRows or UnmatchedQuotes; single rows are not
    looked into.
    """
    count = 0
    for _ in rows(source):
        count += 1
        if count > max_rows:
            raise TooManyRows(f"one import takes {max_rows} rows", max_rows=max_rows)
    if not count:
        raise EmptyFile
    return count


def groups(source: bytes) -> Iterator[Group]:
    """Yield the products of the file in order."""
    current: Group | None = None
    handles: set[str] = set()
    skus: set[str] = set()
    for row in rows(source):
        handle = _handle(row)
        if current is not None and (row.errors or handle == current.handle):
            current.rows.append(_marked(row, skus))
            continue
        if current is not None:
            yield current
        current = Group(handle, [_marked(row, skus)], is_repeat=handle in handles)
        handles.add(handle)
    if current is not None:
        yield current


def rows(source: bytes) -> Iterator[Row]:
    """Yield the rows below the header, empty ones left out."""
    records = records_of(source)
    try:
        header = next(records, None)
        if header is None:
            raise EmptyFile
        columns = columns_of(header[1])
        for line, cells in records:
            yield _row(columns, line, cells)
    except UnicodeDecodeError:
        raise InvalidUtf8("the file is not UTF-8") from None


def _handle(row: Row) -> str:
    cells = row.cells
    handle = cells.get(csv_format.HANDLE, "").strip() or cells.get(csv_format.NAME, "").strip()
    return handle.casefold()


def _marked(row: Row, skus: set[str]) -> Row:
    sku = row.cells.get(csv_format.SKU, "").strip().casefold()
    if sku and sku in skus:
        return Row(row.line, row.cells, row.errors, repeats_sku=True)
    skus.add(sku)
    return row


def _row(columns: Columns, line: int, cells: list[str] | None) -> Row:
    if cells is None:
        detail = "a quote is not closed, text follows one, or the row is too long"
        return _unreadable(line, "csv_quotes", detail)
    wide = len(columns)
    if len(cells) < wide or any(map(is_text, cells[wide:])):
        return _unreadable(line, "csv_cells", _miscounted(cells, wide))
    nameless = [n for n, name in enumerate(columns) if not name and is_text(cells[n])]
    if nameless:
        detail = f"column {nameless[0] + 1} has a text in this row and no name in the header"
        return _unreadable(line, "csv_cells", detail)
    cells = [csv_format.original(cell) for cell in cells[:wide]]
    named = {name: cell for name, cell in zip(columns, cells, strict=True) if name}
    holding = dict.fromkeys(_told_as(name) for name, cell in named.items() if "\x00" in cell)
    if holding:
        detail = "a text holds a NUL character"
        return Row(line, errors=tuple(RowError(line, each, "nul", detail) for each in holding))
    return Row(line, named)


def _told_as(column: str) -> str:
    return csv_format.ATTRIBUTES if is_attribute(column) else column


def _miscounted(cells: list[str], wide: int) -> str:
    found = max((n + 1 for n, cell in enumerate(cells) if is_text(cell)), default=0)
    count = max(found, min(len(cells), wide))
    detail = f"the row has {count} cells, the header {wide}"
    if any(cell.strip().startswith(_CURLY) for cell in cells):
        detail += ': curly quotes hold no text together, write straight ones (")'
    elif count > wide:
        detail += ": a text that holds the separator stands in quotes"
    else:
        detail += ": every column needs its separator, also where its cell is empty"
    return detail


def _unreadable(line: int, code: str, detail: str) -> Row:
    return Row(line, errors=(RowError(line, "", code, detail),))
