"""The gateway's own pages: the merged OpenAPI document, /docs (offline), /problems."""

import asyncio
import html
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from common_lib.errors import NotFound, Unavailable
from gateway.pool import Upstream
from gateway.routes import match

log = structlog.get_logger(__name__)

STATIC: Final = Path(__file__).parent / "static"
PROBLEMS_TABLE: Final = Path(__file__).parent.parent / "docs" / "problems.md"
_FETCH_TIMEOUT_S: Final = 2.0
_KEPT_S: Final = 10.0
_SECTIONS: Final = ("schemas", "securitySchemes", "responses", "parameters", "headers")
_ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
    "favicon.png": "image/png",
}
# Swagger UI writes style attributes and inlines its icons; scripts come from here only.
_DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_INTRODUCTION: Final = (
    "All services, as one API. `POST /api/auth/login` gives the token that *Authorize* asks for. "
    "Every error is a problem document; its `code` is explained under [/problems](/problems)."
)
_LONGEST_SUMMARY: Final = 120
_COLUMNS: Final = ("Status", "Cause", "Fix")
_PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def routes() -> list[BaseRoute]:
    return [
        Route("/openapi.json", _openapi),
        Route("/docs", _docs),
        Route("/docs/{asset}", _docs_asset),
        Route("/problems", _problems),
        Route("/problems/{code}", _problem),
    ]


# OpenAPI


class OpenApi:
    """The services' documents as one, kept for ten seconds; a service that is down is left out."""

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self._upstreams = upstreams
        self._made: tuple[float, bytes] | None = None

    async def document(self) -> bytes:
        if self._made is not None and self._made[0] > time.monotonic():
            return self._made[1]
        names = list(self._upstreams)
        found = await asyncio.gather(*(self._fetch(self._upstreams[name]) for name in names))
        merged = merge({name: part for name, part in zip(names, found, strict=True) if part})
        body = orjson.dumps(merged)
        if all(found):
            self._made = (time.monotonic() + _KEPT_S, body)
        return body

    async def _fetch(self, upstream: Upstream) -> dict[str, Any] | None:
        try:
            status, body = await upstream.fetch("/openapi.json", timeout_s=_FETCH_TIMEOUT_S)
            document: dict[str, Any] = orjson.loads(body)
        except (Unavailable, orjson.JSONDecodeError) as error:
            log.warning("openapi.left_out", upstream=upstream.name, error=type(error).__name__)
            return None
        return document if status == 200 else None  # noqa: PLR2004


def merge(documents: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return one document of those paths that the gateway routes to that service.

    Components that differ under one name are renamed after their service.
    """
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {section: {} for section in _SECTIONS}
    tags: list[Any] = []
    for service, document in documents.items():
        part = _with_own_names(service, document, components)
        for section in _SECTIONS:
            components[section].update(part.get("components", {}).get(section, {}))
        paths.update(_public_paths(service, part.get("paths", {})))
        tags.extend(part.get("tags", []))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1", "description": _INTRODUCTION},
        "paths": dict(sorted(paths.items())),
        "components": {name: entries for name, entries in components.items() if entries},
        **({"tags": tags} if tags else {}),
    }


def _public_paths(service: str, paths: Mapping[str, Any]) -> dict[str, Any]:
    public = {}
    for path, item in paths.items():
        route = match(re.sub(r"\{[^}]*\}", "x", path).encode())
        if route is not None and route.upstream == service:
            public[path] = {method: _headed(operation) for method, operation in item.items()}
    return public


def _headed(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the operation under the first sentence said of it, instead of its function's name."""
    first, _, _ = operation.get("description", "").partition("\n")
    if not 0 < len(first) <= _LONGEST_SUMMARY:
        return operation
    return {**operation, "summary": first.rstrip(".")}


def _with_own_names(
    service: str, document: dict[str, Any], taken: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the document with every component renamed whose name is taken by a different one.

    Renaming one changes those that refer to it, so it is looked at anew until none is left.
    """
    renamed = document
    while (clash := _first_clash(renamed, taken)) is not None:
        section, name = clash
        renamed = _rename(renamed, section, name, f"{service.capitalize()}{name}")
    return renamed


def _first_clash(
    document: dict[str, Any], taken: Mapping[str, Mapping[str, Any]]
) -> tuple[str, str] | None:
    for section, entries in document.get("components", {}).items():
        known = taken.get(section, {})
        for name, entry in entries.items():
            if name in known and known[name] != entry:
                return section, name
    return None


def _rename(document: dict[str, Any], section: str, old: str, new: str) -> dict[str, Any]:
    text = orjson.dumps(document)
    reference = orjson.dumps(f"#/components/{section}/{old}")
    changed: dict[str, Any] = orjson.loads(
        text.replace(reference, orjson.dumps(f"#/components/{section}/{new}"))
    )
    entries = changed["components"][section]
    entries[new] = entries.pop(old)
    return changed


async def _openapi(request: Request) -> Response:
    openapi: OpenApi = request.app.state.openapi
    return Response(await openapi.document(), media_type="application/json")


# The page that shows it


async def _docs(request: Request) -> Response:
    del request
    return FileResponse(
        STATIC / "docs.html",
        media_type="text/html",
        headers={"content-security-policy": _DOCS_POLICY},
    )


async def _docs_asset(request: Request) -> Response:
    name = request.path_params["asset"]
    if name not in _ASSETS:
        raise NotFound
    return FileResponse(
        STATIC / name, media_type=_ASSETS[name], headers={"cache-control": "public, max-age=3600"}
    )


# Problems


def problem_rows(text: str) -> dict[str, tuple[str, ...]]:
    """Read the Markdown tables of docs/problems.md: code → its other columns."""
    rows = {}
    for line in text.splitlines():
        cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        code = cells[0].strip("`")
        if line.lstrip().startswith("|") and len(cells) > 1 and re.fullmatch(r"[a-z0-9_]+", code):
            rows[code] = cells[1:]
    rows.pop("code", None)
    return rows


def _known_problems() -> dict[str, tuple[str, ...]]:
    try:
        return problem_rows(PROBLEMS_TABLE.read_text(encoding="utf-8"))
    except OSError:
        return {}


async def _problem(request: Request) -> Response:
    code = request.path_params["code"]
    rows = _known_problems()
    if rows and code not in rows:
        raise NotFound
    pairs = zip(_COLUMNS, rows.get(code, ()), strict=False)
    facts = "".join(f"<dt>{name}</dt><dd>{_inline(text)}</dd>" for name, text in pairs if text)
    return _page(code, f"<dl>{facts}</dl>")


async def _problems(request: Request) -> Response:
    del request
    head = "".join(f"<th>{name}</th>" for name in ("Code", *_COLUMNS))
    rows = "".join(
        f'<tr><td><a href="/problems/{code}"><code>{code}</code></a></td>'
        + "".join(f"<td>{_inline(cell)}</td>" for cell in cells)
        + "</tr>"
        for code, cells in sorted(_known_problems().items())
    )
    return _page("Problems", f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")


def _inline(markdown: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(markdown))


def _page(title: str, body: str) -> HTMLResponse:
    template = (STATIC / "page.html").read_text(encoding="utf-8")
    text = template.replace("{{title}}", html.escape(title)).replace("{{body}}", body)
    return HTMLResponse(text, headers={"content-security-policy": _PAGE_POLICY})
