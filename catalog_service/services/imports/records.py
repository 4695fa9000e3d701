"""The records of a CSV file: whatever parts its cells and ends its lines.

A record that cannot be read costs that record alone: an unclosed quote would otherwise swallow all
rows up to the next quote.
"""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from catalog_service.services.imports.header import column_name, is_known
from common_lib.errors import Rejected

_MAX_RECORD_CHARS: Final = 256 * 1024
# Blank lines are no rows, and yet take their time.
_MAX_LINES: Final = 1_000_000
# Lines that follow a broken quote are read again. Where each opens one anew that would be the rest
# of the file for each; a short line costs about as much as so many characters.
_MAX_READ_AGAIN: Final = 32 * 1024 * 1024
_COST_OF_A_LINE: Final = 64
_SEPARATORS: Final = (",", ";", "\t")
# How Excel is told what parts the cells, in a line of its own before the header.
_TOLD: Final = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\s*', re.IGNORECASE)


class TooManyRows(Rejected):
    code = "csv_too_many_rows"
    title = "The file has more rows than one import takes"


class UnmatchedQuotes(Rejected):
    code = "csv_quotes"
    title = "The quotes of the file do not match"


def records_of(source: bytes) -> Iterator[tuple[int, list[str] | None]]:
    """Yield each record with its first line's number; None for one that cannot be read.

    Records without a text in them are left out. Raises UnicodeDecodeError, TooManyRows and
    UnmatchedQuotes.
    """
    lines = _Lines(source)
    reader = csv.reader(lines, delimiter=lines.separator, strict=True)
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
        if any(map(is_text, cells)):
            yield lines.first, cells


def is_text(cell: str) -> bool:
    return bool(cell) and not cell.isspace()


def _separator(header: str) -> str:
    """Return what parts the cells: what makes the most known columns of the header."""

    def known(separator: str) -> int:
        cells = next(csv.reader([header], delimiter=separator), [])
        return sum(is_known(column_name(cell)) for cell in cells)

    return max(_SEPARATORS, key=known) if len(header) <= _MAX_RECORD_CHARS else ","


class _RecordTooLong(Exception):
    pass


class _Lines:
    """Physical lines that can be given back, with the number of the one a record began on."""

    def __init__(self, source: bytes) -> None:
        # newline="" keeps line breaks inside quotes as they are.
        text = io.TextIOWrapper(io.BytesIO(source), encoding="utf-8-sig", newline="")
        self.first = 1
        first = next(text, "")
        while first and not first.strip(" \t\r\n,;") and self.first <= _MAX_LINES:
            first, self.first = next(text, ""), self.first + 1
        told = _TOLD.fullmatch(first)
        if told is not None:
            first, self.first = next(text, ""), self.first + 1
        self.separator = told[1] if told is not None else _separator(first)
        self._text = chain([first] if first else [], text)
        self._waiting: list[str] = []
        self._taken: list[str] = []
        self._chars = 0
        self._read_again = 0

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
        """Keep only the first line of the record that failed. Raises UnmatchedQuotes."""
        self._read_again += self._chars + _COST_OF_A_LINE * len(self._taken)
        if self._read_again > _MAX_READ_AGAIN:
            raise UnmatchedQuotes(
                f"line {self.first} is one of many that open a quote and do not close it"
            )
        self._waiting += reversed(self._taken[1:])
        del self._taken[1:]
