"""The columns of a product file, and how values are written in its cells.

The export writes what the import reads: a file that goes out and comes back changes nothing.
"""

import re
from collections.abc import Mapping
from typing import Final

HANDLE: Final = "handle"
NAME: Final = "product_name"
DESCRIPTION: Final = "description"
CATEGORY: Final = "category"
STATUS: Final = "status"
SKU: Final = "sku"
VARIANT_NAME: Final = "variant_name"
PRICE: Final = "price"
CURRENCY: Final = "currency"
COMPARE_AT: Final = "compare_at_price"
QUANTITY: Final = "quantity"
REORDER_LEVEL: Final = "reorder_level"
ACTIVE: Final = "active"
ATTRIBUTES: Final = "attributes"
ATTRIBUTE_PREFIX: Final = "attr."

COLUMNS: Final = (
    HANDLE,
    NAME,
    DESCRIPTION,
    CATEGORY,
    STATUS,
    SKU,
    VARIANT_NAME,
    PRICE,
    CURRENCY,
    COMPARE_AT,
    QUANTITY,
    REORDER_LEVEL,
    ACTIVE,
    ATTRIBUTES,
)
REQUIRED: Final = (NAME, DESCRIPTION, CATEGORY, SKU, VARIANT_NAME, PRICE, QUANTITY)
PRODUCT_COLUMNS: Final = (NAME, DESCRIPTION, CATEGORY, STATUS)

_YES: Final = frozenset({"true", "yes", "1"})
_NO: Final = frozenset({"false", "no", "0"})

# What a spreadsheet may take for a formula, also full width and after blanks
# (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA: Final = re.compile("'*(?:[\t\r\n]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_PAIRS: Final = re.compile(r"((?:[^;\\]|\\.)*)(?:;|\Z)", re.DOTALL)
_PAIR: Final = re.compile(r"((?:[^=\\]|\\.)*)=(.*)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL: Final = re.compile(r"([\\;=])")


def neutralised(text: str) -> str:
    """Return the text with a `'` before it where a spreadsheet could take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def original(text: str) -> str:
    """Return the text that `neutralised` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def yes_or_no(text: str) -> bool | None:
    """Read a flag; None for what is neither."""
    word = text.lower()
    if word in _YES or word in _NO:
        return word in _YES
    return None


def attributes_text(attributes: Mapping[str, str]) -> str:
    """Write `color=Red;size=M`; a backslash keeps `;`, `=` and itself from meaning anything."""
    return ";".join(f"{_label_text(label)}={_escaped(v)}" for label, v in attributes.items())


def attributes_of(text: str) -> dict[str, str] | None:
    """Read what `attributes_text` writes; None for a part without `=` or a label named twice."""
    found: dict[str, str] = {}
    for part in _PAIRS.findall(text):
        if not part.strip():
            continue
        pair = _PAIR.fullmatch(part.lstrip())
        if pair is None:
            return None
        label = _ESCAPED.sub(r"\1", pair[1])
        if label in found:
            return None
        found[label] = _ESCAPED.sub(r"\1", pair[2])
    return found


def _label_text(label: str) -> str:
    escaped = _escaped(label)
    return f"\\{escaped}" if label[:1].isspace() else escaped


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
