"""The pages as they are answered, and what their files may hold."""

import gzip
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from gateway.storefront import FOLDER, Answer, Asked, Storefront

BROWSER: Final = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ORDER: Final = b"/orders/01a22db0-6404-7168-b893-a24ac5bf46be"
PAGES: Final = [
    b"/",
    b"/search",
    b"/login",
    b"/verify-email",
    b"/forgot-password",
    b"/reset-password",
    b"/products/steel-kettle-2",
    ORDER,
]
STOREFRONT: Final = Storefront(["https://cdn.example"])
SCRIPTS: Final = sorted(FOLDER.rglob("*.js"))
MARKUP: Final = sorted(FOLDER.rglob("*.html"))
SHEETS: Final = sorted(FOLDER.rglob("*.css"))


def ask(raw_path: bytes, *, method: str = "GET", **headers: bytes) -> Answer | None:
    given = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return STOREFRONT.answer(Asked.by(method, raw_path, given))


def answered(raw_path: bytes, *, method: str = "GET", **headers: bytes) -> Answer:
    answer = ask(raw_path, method=method, **headers)
    assert answer is not None
    return answer


def header(answer: Answer, name: bytes) -> bytes:
    found = [value for given, value in answer.headers if given == name]
    assert len(found) == 1, f"{name!r}: {found}"
    return found[0]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_html_with_a_strict_policy(path: bytes) -> None:
    page = answered(path)

    assert page.status == 200
    assert header(page, b"content-type") == b"text/html; charset=utf-8"
    assert header(page, b"content-length") == b"%d" % len(page.body)
    policy = header(page, b"content-security-policy").decode()
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "img-src 'self' https://cdn.example;" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert header(page, b"referrer-policy") == b"no-referrer"
    assert header(page, b"x-content-type-options") == b"nosniff"


@pytest.mark.parametrize("path", [*PAGES, b"/storefront/api/client.js"])
def test_who_has_a_file_is_not_sent_it_again(path: bytes) -> None:
    tag = header(answered(path), b"etag")

    again = answered(path, if_none_match=b'"other", W/' + tag)

    assert (again.status, again.body) == (304, b"")
    assert header(again, b"etag") == tag
    assert header(again, b"cache-control") == b"no-cache"


def test_gzip_is_sent_to_those_who_take_it_under_a_tag_of_its_own() -> None:
    plain = answered(b"/storefront/styles/base.css")
    packed = answered(b"/storefront/styles/base.css", accept_encoding=b"br;q=1.0, gzip;q=0.8")

    assert header(packed, b"content-encoding") == b"gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert header(packed, b"etag") != header(plain, b"etag")
    assert header(packed, b"vary") == header(plain, b"vary") == b"accept-encoding"


@pytest.mark.parametrize("refusal", [b"", b"identity", b"gzip;q=0", b"gzip;q=0.0", b"xgzip"])
def test_nobody_is_sent_gzip_who_does_not_take_it(refusal: bytes) -> None:
    answer = answered(b"/", accept_encoding=refusal)

    assert b"content-encoding" not in dict(answer.headers)


def test_head_is_answered_like_get_without_the_body() -> None:
    get, head = (
        answered(b"/", accept_encoding=b"gzip"),
        answered(b"/", method="HEAD", accept_encoding=b"gzip"),
    )

    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_pages_are_read_and_nothing_else(method: str) -> None:
    assert ask(b"/login", method=method) is None
    assert STOREFRONT.has(b"/login")


@pytest.mark.parametrize(
    "path",
    [
        b"/nothing",
        b"/Login",
        b"/login/",
        b"//",
        b"/orders/1",
        b"/orders/..%2f..%2fetc",
        b"/products/A",
        b"/storefront/pages/frame.html",
        b"/storefront/../gateway/main.py",
        b"/storefront/api/../../pyproject.toml",
        b"/storefront",
        b"/storefront/",
    ],
)
def test_a_browser_is_told_in_words_that_there_is_no_such_page(path: bytes) -> None:
    answer = answered(path, accept=BROWSER)

    assert answer.status == 404
    assert b"There is nothing at this address" in answer.body
    assert header(answer, b"cache-control") == b"no-store"


@pytest.mark.parametrize("accept", [b"", b"*/*", b"application/json"])
def test_who_reads_no_pages_is_left_to_the_api(accept: bytes) -> None:
    assert ask(b"/nothing", accept=accept) is None


@pytest.mark.parametrize("path", [b"/api", b"/api/none", b"/api/", b"/internal/x"])
def test_the_apis_paths_are_not_the_pages(path: bytes) -> None:
    assert ask(path, accept=BROWSER) is None


def test_production_has_its_pages_asked_for_by_tls_only() -> None:
    page = Storefront(is_production=True).answer(Asked("GET", b"/"))

    assert page is not None
    assert header(page, b"strict-transport-security").startswith(b"max-age=31536000")


# The files


@pytest.mark.parametrize("path", MARKUP, ids=lambda path: path.name)
def test_a_page_holds_no_script_and_no_style_of_its_own(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"<script(?![^>]* src=)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text), "a foreign place"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_module_makes_no_markup_of_texts_and_logs_nothing(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"\bconsole\.|localStorage\.|document\.cookie", text)


@pytest.mark.parametrize("path", [*SCRIPTS, *SHEETS], ids=lambda path: path.name)
def test_nothing_comes_from_third_parties(path: Path) -> None:
    places = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text()))

    # The name of SVG's vocabulary is an address and is not fetched.
    assert places <= {"http://www.w3.org/2000/svg"}


def _named(path: Path) -> set[str]:
    """Return the places that a file names, as a browser would ask for them."""
    text = path.read_text()
    if path.suffix == ".js":
        found = re.findall(r'from "(\.[^"]+)"', text)
        return {
            f"/storefront/{(path.parent / name).resolve().relative_to(FOLDER)}" for name in found
        }
    return set(re.findall(r'(?:src|href|action)="(/[^"]*)"', text))


@pytest.mark.parametrize("path", [*SCRIPTS, *MARKUP], ids=lambda path: path.name)
def test_every_place_that_a_file_names_is_there(path: Path) -> None:
    missing = [name for name in _named(path) if not STOREFRONT.has(urlsplit(name).path.encode())]

    assert missing == []
