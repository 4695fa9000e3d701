"""The first line of a product file: what its columns are called."""

from collections.abc import Iterator
from typing import Final

from catalog_service.services.imports import format as csv_format
from common_lib.errors import FieldError, Rejected

_MAX_ATTRIBUTE_COLUMNS: Final = 20
_MAX_LABEL: Final = 64
_MOST_ERRORS: Final = len(csv_format.COLUMNS) + _MAX_ATTRIBUTE_COLUMNS
# Signs that are not seen, and yet come with texts that are copied.
_UNSEEN: Final = str.maketrans(dict.fromkeys("\ufeff\u200b\u200e\u200f\u2060", ""))
_CURLY: Final = "\u201c\u201d\u201e\u2018\u2019"

# The columns by position; one without a name is "".
Columns = tuple[str, ...]


class WrongHeader(Rejected):
    code = "csv_header"
    title = "The first line must name the columns"


def columns_of(cells: list[str] | None) -> Columns:
    """Return the columns' names, empty ones at the end left out.

    Raises WrongHeader naming all that is wrong by position.
    """
    if cells is None:
        raise WrongHeader(
            "the first line cannot be read: a quote is not closed or text follows one"
        )
    names = tuple(map(column_name, cells))
    while names and not names[-1]:
        names = names[:-1]
    errors = list(_errors(names))
    if errors:
        raise WrongHeader(errors=errors[:_MOST_ERRORS])
    if sum(map(is_attribute, names)) > _MAX_ATTRIBUTE_COLUMNS:
        raise WrongHeader(f"a file has at most {_MAX_ATTRIBUTE_COLUMNS} attribute columns")
    return names


def column_name(cell: str) -> str:
    """Return the name as we write it: `Product Name` is product_name.

    An attribute's label stays as it is: it is the seller's own.
    """
    name = " ".join(cell.translate(_UNSEEN).split())
    if name[: len(csv_format.ATTRIBUTE_PREFIX)].lower() == csv_format.ATTRIBUTE_PREFIX:
        return csv_format.ATTRIBUTE_PREFIX + name[len(csv_format.ATTRIBUTE_PREFIX) :].strip()
    return name.lower().replace(" ", "_").replace("-", "_")


def is_attribute(name: str) -> bool:
    return name.startswith(csv_format.ATTRIBUTE_PREFIX)


def is_known(name: str) -> bool:
    """Tell whether a name is that of a column, or an attribute's."""
    if name in csv_format.COLUMNS:
        return True
    label = name.removeprefix(csv_format.ATTRIBUTE_PREFIX)
    return is_attribute(name) and 1 <= len(label) <= _MAX_LABEL and "\x00" not in label


def _errors(names: Columns) -> Iterator[FieldError]:
    for n, name in enumerate(names):
        if name and not is_known(name):
            yield FieldError(f"/header/{n}", "unknown_column", _unknown(n, name))
    for n, name in enumerate(names):
        if name and name in names[:n]:
            detail = f"column {n + 1} is named like another"
            yield FieldError(f"/header/{n}", "repeated_column", detail)
    for name in csv_format.REQUIRED:
        if name not in names:
            detail = f"there is no column {name}"
            yield FieldError(f"/header/{name}", "missing_column", detail)


def _unknown(position: int, name: str) -> str:
    detail = f"column {position + 1} has an unknown name"
    if name.strip(_CURLY) != name:
        return f"{detail}: it stands in curly quotes, leave them out"
    return detail
