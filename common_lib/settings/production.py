"""What the production profile refuses: secrets that are published, and limits that are none."""

import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

# Those of this project's own files and examples, and the first that anybody would try.
PUBLISHED_SECRETS: Final = frozenset(
    {
        "",
        "admin",
        "changeme",
        "demo-pass-123",
        "dev",
        "password",
        "root",
        "secret",
        "shop",
        "shop-root",
        "test",
    }
)
# Before the PEM of a key that a local stack made for itself.
DEVELOPMENT_MARK: Final = b"Made for development."
WIDE_FACTOR: Final = 10
_LIMIT: Final = "_limit_per_"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def secret_faults(variable: str, value: str, *, min_length: int = 1) -> Iterator[str]:
    if value.lower() in PUBLISHED_SECRETS:
        yield f"{variable} is a development default"
    elif len(value) < min_length:
        yield f"{variable} is shorter than {min_length} characters"


def password_faults(variable: str, urls: Iterable[str], *, may_be_none: bool) -> Iterator[str]:
    """Look at the passwords inside of URLs; none of them is repeated in what is said."""
    for url in urls:
        parts = urlsplit(url)
        password = unquote(parts.password or "")
        is_published = password.lower() in PUBLISHED_SECRETS or password == parts.username
        if is_published and not (may_be_none and not password):
            yield f"{variable} holds no password or a development default"


def plain_http_faults(variable: str, url: str | None) -> Iterator[str]:
    parts = urlsplit(url or "")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        yield (
            f"{variable} leaves this machine by plain http: use https, or set"
            " SHOP_HAS_ENCRYPTED_NETWORK=true where a service mesh encrypts the way"
        )


def public_url_faults(variable: str, url: str) -> Iterator[str]:
    """Look at an address that customers are given: it must be theirs to reach, and encrypted."""
    parts = urlsplit(url)
    if parts.hostname in _LOOPBACK:
        yield f"{variable} leads to this machine only: set it to the shop's public address"
    elif parts.scheme != "https":
        yield f"{variable} is plain http: links in mails carry tokens, use https"


def key_file_faults(variable: str, file: Path | None) -> Iterator[str]:
    """Look at a key file; one that is missing is told of by whoever reads it."""
    try:
        if file is None:
            return
        if stat.S_IMODE(file.stat().st_mode) & stat.S_IRWXO:
            yield f"{variable}: everybody on this machine may open {file}; chmod o= {file}"
        with file.open("rb") as opened:
            if opened.read(len(DEVELOPMENT_MARK)) == DEVELOPMENT_MARK:
                yield f"{variable}: {file} was made for development"
    except OSError:
        return


def limit_faults(given: Mapping[str, object], defaults: Mapping[str, object]) -> Iterator[str]:
    """Find limits that are more than ten times their default: those of a development stack."""
    for name, value in given.items():
        default = defaults[name]
        if _LIMIT in name and isinstance(value, int) and isinstance(default, int):
            most = default * WIDE_FACTOR
            if value > most:
                yield f"SHOP_{name.upper()} is {value}, as wide as for development: at most {most}"
