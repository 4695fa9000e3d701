"""The storefront's pages and their parts: read once at the start, answered as ready bytes.

They are static files (ADR 0032): a page is `storefront/pages/<name>.html` put into `frame.html`, a
part is any other file below `storefront`, at the path that it has there. All of it is public and
costs no service anything, so it is neither counted nor refused under load.
"""

import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.types import Send

from gateway.answers import HSTS, SECURITY_HEADERS
from gateway.headers import Header
from gateway.routes import PAGES

FOLDER: Final = Path(__file__).parent.parent / "storefront"
# Which page a path opens. What is behind `#` never gets here; what is behind `?` is the page's own.
_NAMES: Final[Mapping[str, str]] = {
    "/": "start",
    "/search": "search",
    "/login": "login",
    "/verify-email": "verify-email",
    "/forgot-password": "forgot-password",
    "/reset-password": "reset-password",
}
_ORDER: Final = re.compile(rb"/orders/[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PRODUCT: Final = re.compile(rb"/products/[a-z0-9-]{1,220}")
_API: Final = re.compile(rb"/(?:api|internal)(?:/|$)")
_TYPES: Final = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
}
_HEAD_MARK: Final = "<!--head-->"
_MAIN_MARK: Final = "<!--main-->"
_GZIP_LEVEL: Final = 9
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_NOT_FOUND: Final = 404
_WORTH_PACKING: Final = 512
# Whoever has a file asks whether it is still the one: a release is whole for everybody at once.
_ASKED_AGAIN: Final[Header] = (b"cache-control", b"no-cache")


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent: plain and as gzip, each with its tag."""

    media_type: bytes
    plain: bytes
    packed: bytes | None
    tag: bytes

    @classmethod
    def of(cls, suffix: str, content: bytes) -> "File":
        digest = hashlib.sha256(content).hexdigest()[:24].encode()
        packed = gzip.compress(content, _GZIP_LEVEL, mtime=0)
        is_worth_it = len(content) >= _WORTH_PACKING and len(packed) < len(content)
        return cls(_TYPES[suffix], content, packed if is_worth_it else None, digest)


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request decides about the answer."""

    method: str
    raw_path: bytes
    accept: bytes = b""
    accept_encoding: bytes = b""
    if_none_match: bytes = b""

    @classmethod
    def by(cls, method: str, raw_path: bytes, headers: Iterable[Header]) -> "Asked":
        found = {name: value for name, value in headers if name in _READ}
        return cls(method, raw_path, *(found.get(name, b"") for name in _READ))

    @property
    def is_browser(self) -> bool:
        """Whether it is a person's browser that asks for a page, not a client of the API."""
        return b"text/html" in self.accept

    def takes_gzip(self) -> bool:
        codings = self.accept_encoding.lower().replace(b" ", b"").split(b",")
        return any(coding in (b"gzip", b"*") or _GZIP.match(coding) for coding in codings)

    def knows(self, tag: bytes) -> bool:
        tags = [part.strip().removeprefix(b"W/") for part in self.if_none_match.split(b",")]
        return b"*" in tags or tag in tags


_READ: Final = (b"accept", b"accept-encoding", b"if-none-match")
_GZIP: Final = re.compile(rb"(?:gzip|\*);q=(?:1(?:\.0*)?|0?\.\d*[1-9]\d*)$")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[Header]
    body: bytes

    async def send(self, send: Send, request_id: bytes) -> None:
        headers = [*self.headers, (b"x-request-id", request_id)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Storefront:
    """All pages and parts. `image_origins` are the places whose pictures may be shown."""

    def __init__(
        self,
        image_origins: Iterable[str] = (),
        *,
        is_production: bool = False,
        folder: Path = FOLDER,
    ) -> None:
        self._pages = dict(_pages(folder))
        self._parts = dict(_parts(folder))
        self._fixed = [
            *SECURITY_HEADERS,
            (b"content-security-policy", policy(image_origins)),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
            *([HSTS] if is_production else []),
        ]

    def answer(self, asked: Asked) -> Answer | None:
        """Return the page or part at a path, for browsers also that there is none; else None."""
        if asked.method not in ("GET", "HEAD"):
            return None
        file = self._file(asked.raw_path)
        if file is not None:
            return self._found(file, asked)
        if asked.is_browser and not _API.match(asked.raw_path):
            return self._shaped(
                _NOT_FOUND, self._pages["not-found"], asked, (b"cache-control", b"no-store")
            )
        return None

    def has(self, raw_path: bytes) -> bool:
        return self._file(raw_path) is not None

    def _file(self, raw_path: bytes) -> File | None:
        part = self._parts.get(raw_path)
        if part is not None:
            return part
        name = _page_of(raw_path)
        return self._pages[name] if name is not None else None

    def _found(self, file: File, asked: Asked) -> Answer:
        is_packed = file.packed is not None and asked.takes_gzip()
        tag = b'"%s%s"' % (file.tag, b"-gzip" if is_packed else b"")
        if asked.knows(tag):
            headers = [*self._fixed, _ASKED_AGAIN, (b"etag", tag), (b"vary", b"accept-encoding")]
            return Answer(_NOT_MODIFIED, headers, b"")
        return self._shaped(_OK, file, asked, _ASKED_AGAIN, (b"etag", tag))

    def _shaped(self, status: int, file: File, asked: Asked, *more: Header) -> Answer:
        body = file.plain
        headers = [*self._fixed, *more, (b"content-type", file.media_type)]
        if file.packed is not None:
            headers.append((b"vary", b"accept-encoding"))
            if asked.takes_gzip():
                body = file.packed
                headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", b"%d" % len(body)))
        return Answer(status, headers, b"" if asked.method == "HEAD" else body)


def policy(image_origins: Iterable[str]) -> bytes:
    """Return the pages' Content-Security-Policy: our own files, the API, the pictures' places.

    No script can be written into a page: neither inline nor by making markup of a text.
    """
    images = " ".join(["'self'", *image_origins])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src {images}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ).encode()


def _page_of(raw_path: bytes) -> str | None:
    if _ORDER.fullmatch(raw_path):
        return "order"
    if _PRODUCT.fullmatch(raw_path):
        return "product"
    return _NAMES.get(raw_path.decode("latin-1"))


def _pages(folder: Path) -> Iterator[tuple[str, File]]:
    frame = (folder / "pages" / "frame.html").read_text(encoding="utf-8")
    for path in sorted((folder / "pages").glob("*.html")):
        if path.name != "frame.html":
            head, main = path.read_text(encoding="utf-8").split(_MAIN_MARK)
            page = frame.replace(_HEAD_MARK, head.strip()).replace(_MAIN_MARK, main.strip())
            yield path.stem, File.of(".html", page.encode())


def _parts(folder: Path) -> Iterator[tuple[bytes, File]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TYPES and path.suffix != ".html":
            place = f"{PAGES.prefix}/{path.relative_to(folder).as_posix()}"
            yield place.encode(), File.of(path.suffix, path.read_bytes())
