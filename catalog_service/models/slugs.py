"""Names as parts of URLs."""

import re
import unicodedata


def slugified(name: str, *, max_length: int) -> str:
    """Return the name in lower case with `-` between its words; empty where nothing is Latin."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:max_length].rstrip("-")
