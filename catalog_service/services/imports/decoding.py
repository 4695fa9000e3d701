"""From the bytes of a file to UTF-8: what programs save without asking anybody.

An encoding is believed where a mark or the request names it, never guessed from the letters.
"""

import codecs
from typing import Final

from common_lib.problems import InvalidUtf8

# What the request may say of a file; the web's rule is that Latin-1 means Windows-1252
# (https://encoding.spec.whatwg.org/#names-and-labels).
CHARSETS: Final = {
    **dict.fromkeys(("", "utf-8", "utf8", "us-ascii"), "utf-8"),
    **dict.fromkeys(("windows-1252", "cp1252", "iso-8859-1", "latin1"), "cp1252"),
    **dict.fromkeys(("utf-16", "unicode"), "utf-16"),
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, ""),
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HOW: Final = (
    "save it as “CSV UTF-8”, or name its encoding in the header Content-Type, as in text/csv;"
    " charset=windows-1252"
)


def as_utf8(source: bytes, charset: str = "") -> bytes:
    """Return the file as UTF-8; a mark at its beginning outweighs `charset`. Raises InvalidUtf8."""
    marked = next((name for mark, name in _MARKS if source.startswith(mark)), None)
    encoding = CHARSETS[charset] if marked is None else marked
    if not encoding:
        raise InvalidUtf8("the file is UTF-32: save it as “CSV UTF-8”")
    if marked is None and encoding == "utf-8" and source[:2].count(0) == 1:
        raise InvalidUtf8("the file looks like UTF-16 without its mark: save it as “CSV UTF-8”")
    try:
        text = source.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidUtf8(_detail(source, encoding, error)) from None
    return source if encoding == "utf-8" else text.encode()


def _detail(source: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    if encoding == "utf-8":
        line = source.count(b"\n", 0, error.start) + 1
        return f"line {line} of the file is not UTF-8: {_HOW}"
    return f"the file is not what it says to be ({encoding}): {_HOW}"
