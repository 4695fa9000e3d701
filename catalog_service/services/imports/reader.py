"""Reading a product file: its header once, then its rows as products, a few at a time.

A row that cannot be read costs that row alone: an unclosed quote would otherwise swallow all rows
up to the next quote.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from catalog_service.services.imports import format as csv_format
from common_lib.errors import FieldError, Rejected
from common_lib.problems import InvalidUtf8

_MAX_RECORD_CHARS: Final = 256 * 1024
# Blank lines are no rows, and yet take their time.
_MAX_LINES: Final = 1_000_000
_MAX_ATTRIBUTE_COLUMNS: Final = 20
_MAX_LABEL: Final = 64


class EmptyFile(Rejected):
    code = "csv_empty"
    title = "The file has no rows"


class WrongHeader(Rejected):
    code = "csv_header"
    title = "The first line must name the columns"


class TooManyRows(Rejected):
    code = "csv_too_many_rows"
    title = "The file has more rows than one import takes"


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one cell, without its content; `line` counts from 1, the header's."""

    line: int
    column: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file by column; `error` instead where it could not be read."""

    line: int
    cells: Mapping[str, str] = field(default_factory=dict)
    error: RowError | None = None
    repeats_sku: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring rows with one handle: a product. A repeated one's handle came up before."""

    handle: str
    rows: list[Row]
    is_repeat: bool


def check(source: bytes, *, max_rows: int) -> int:
    """Return how many rows the file has.

    Raises InvalidUtf8, EmptyFile, WrongHeader or TooManyRows; single rows are not looked into.
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
        if current is not None and (row.error is not None or handle == current.handle):
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
    records = _records(source)
    try:
        header = next(records, None)
        if header is None:
            raise EmptyFile
        columns = _columns(header[1])
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
        return Row(row.line, row.cells, row.error, repeats_sku=True)
    skus.add(sku)
    return row


def _row(columns: tuple[str, ...], line: int, cells: list[str] | None) -> Row:
    if cells is None:
        return _unreadable(
            line, "csv_quotes", "a quote is not closed, text follows one, or the row is too long"
        )
    if len(cells) != len(columns):
        detail = f"the row has {len(cells)} cells, the header {len(columns)}"
        return _unreadable(line, "csv_cells", detail)
    named = dict(zip(columns, map(csv_format.original, cells), strict=True))
    nul = next((name for name, cell in named.items() if "\x00" in cell), None)
    if nul is not None:
        column = csv_format.ATTRIBUTES if nul.startswith(csv_format.ATTRIBUTE_PREFIX) else nul
        return Row(line, error=RowError(line, column, "nul", "a text holds a NUL character"))
    return Row(line, named)


def _unreadable(line: int, code: str, detail: str) -> Row:
    return Row(line, error=RowError(line, "", code, detail))


def _columns(cells: list[str] | None) -> tuple[str, ...]:
    """Return the columns' names. Raises WrongHeader naming all that is wrong by position."""
    if cells is None:
        raise WrongHeader("the first line cannot be read")
    names = tuple(_column_name(cell) for cell in cells)
    errors = [
        FieldError(f"/header/{n}", "unknown_column", f"column {n + 1} has an unknown name")
        for n, name in enumerate(names)
        if not _is_known(name)
    ]
    errors += [
        FieldError(f"/header/{n}", "repeated_column", f"column {n + 1} is named like another")
        for n, name in enumerate(names)
        if name in names[:n]
    ]
    errors += [
        FieldError(f"/header/{name}", "missing_column", f"there is no column {name}")
        for name in csv_format.REQUIRED
        if name not in names
    ]
    if errors:
        raise WrongHeader(errors=errors[: len(csv_format.COLUMNS) + _MAX_ATTRIBUTE_COLUMNS])
    if sum(map(_is_attribute, names)) > _MAX_ATTRIBUTE_COLUMNS:
        raise WrongHeader(f"a file has at most {_MAX_ATTRIBUTE_COLUMNS} attribute columns")
    return names


def _column_name(cell: str) -> str:
    """Return the name in lower case, except for an attribute's label, which is the seller's own."""
    name = cell.strip()
    return name if _is_attribute(name) else name.lower()


def _is_attribute(name: str) -> bool:
    return name.startswith(csv_format.ATTRIBUTE_PREFIX)


def _is_known(name: str) -> bool:
    if name in csv_format.COLUMNS:
        return True
    label = name.removeprefix(csv_format.ATTRIBUTE_PREFIX)
    return _is_attribute(name) and 1 <= len(label) <= _MAX_LABEL and "\x00" not in label


class _RecordTooLong(Exception):
    pass


class _Lines:
    """Physical lines that can be given back, with the number of the one a record began on."""

    def __init__(self, source: bytes) -> None:
        # newline="" keeps line breaks inside quotes as they are.
        self._text = io.TextIOWrapper(io.BytesIO(source), encoding="utf-8-sig", newline="")
        self._waiting: list[str] = []
        self._taken: list[str] = []
        self._chars = 0
        self.first = 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else next(self._text)
        self._taken.append(line)
        self._chars += len(line)
        if self._chars > _MAX_RECORD_CHARS:
            raise _RecordTooLong
        return line

    def begin_record(self) -> None:
        self.first += len(self._taken)
        self._taken.clear()
        self._chars = 0

    def give_back(self) -> None:
        """Keep only the first line of the record that failed."""
        self._waiting += reversed(self._taken[1:])
        del self._taken[1:]


def _records(source: bytes) -> Iterator[tuple[int, list[str] | None]]:
    """Yield each record with its first line's number; None for one that cannot be read."""
    lines = _Lines(source)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin_record()
        if lines.first > _MAX_LINES:
            raise TooManyRows("the file has more than a million lines")
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _RecordTooLong):
            lines.give_back()
            yield lines.first, None
            continue
        if any(cell and not cell.isspace() for cell in cells):
            yield lines.first, cells
