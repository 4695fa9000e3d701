"""Searching and listing products over HTTP."""

import hashlib
import re
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from catalog_service.api.deps import Wired, json_response
from catalog_service.schemas.products import ProductPage
from catalog_service.schemas.search import Facets, Filters, PageRequest, SearchPage, Suggestions
from catalog_service.services.search.listing import listed
from common_lib.errors import FieldError, Rejected
from common_lib.money import MAX_MINOR
from common_lib.problems import StrictRoute


class AttributeRoute(StrictRoute):
    """A route that takes attr.* beside what it names."""

    other_parameters = "attr."


router = APIRouter(prefix="/api/products", tags=["search"], route_class=AttributeRoute)
suggest_router = APIRouter(prefix="/api/products", tags=["search"], route_class=StrictRoute)

MAX_LIMIT: Final = 100
# Whatever label a product may have: what a facet hands out is taken.
_ATTRIBUTE: Final = re.compile(r"attr\.([^\x00]{1,64})", re.DOTALL)
_MAX_ATTRIBUTES: Final = 5
_MAX_VALUE: Final = 255
_NOTHING: Final = (
    SearchPage(items=(), next_cursor=None, facets=Facets(), total=0, total_relation="eq")
    .model_dump_json()
    .encode()
)
_NO_SUGGESTIONS: Final = Suggestions(items=()).model_dump_json().encode()
_KNOWN: Final = frozenset(
    {"q", "categoryId", "sellerId", "minPrice", "maxPrice", "minRating", "inStock"}
    | {"sort", "limit", "cursor"}
)

Price = Annotated[int | None, Query(ge=0, le=MAX_MINOR)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Cursor = Annotated[str | None, Query(max_length=256)]
Sort = Literal["price", "-price", "rating", "newest"]


class InvalidQuery(Rejected):
    code = "validation_failed"
    title = "A query parameter is unknown or wrong"


def filters(
    *,
    request: Request,
    category_id: Annotated[UUID | None, Query(alias="categoryId")] = None,
    seller_id: Annotated[UUID | None, Query(alias="sellerId")] = None,
    min_price: Annotated[Price, Query(alias="minPrice")] = None,
    max_price: Annotated[Price, Query(alias="maxPrice")] = None,
    min_rating: Annotated[
        float | None, Query(alias="minRating", ge=0, le=5, allow_inf_nan=False)
    ] = None,
    in_stock: Annotated[bool, Query(alias="inStock")] = False,
) -> Filters:
    return Filters(
        category_id=category_id,
        seller_id=seller_id,
        min_price=min_price,
        max_price=max_price,
        min_rating=min_rating,
        in_stock=in_stock,
        attributes=_attributes(request),
    )


Narrowed = Annotated[Filters, Depends(filters)]


@router.get("/search", response_model=SearchPage)
async def search_products(
    *,
    q: Annotated[str, Query(min_length=1, max_length=100)],
    narrowed: Narrowed,
    deps: Wired,
    request: Request,
    sort: Literal["relevance", Sort] = "relevance",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Find active products by their words. Answers may be five minutes old.

    Prices, stock and attributes asked for mean one and the same variant, by whose lowest price the
    product is sorted.
    """
    text, page = _words(q), PageRequest(sort, limit, cursor)

    async def load() -> bytes | None:
        # Nothing is remembered for seconds only: what is looked for may be about to be indexed.
        return await deps.searcher.search(text, narrowed, page)

    body = await deps.announcements.searches.get(_key(text, narrowed, page), load)
    return _with_next(request, body or _NOTHING)


@suggest_router.get("/suggest", response_model=Suggestions)
async def suggest_products(
    *,
    q: Annotated[str, Query(min_length=1, max_length=100)],
    deps: Wired,
) -> Response:
    """Complete what is being typed; one typo a word is forgiven. Five minutes old at most."""
    text = _words(q)

    async def load() -> bytes | None:
        found = await deps.searcher.suggest(text)
        return found.model_dump_json().encode() if found.items else None

    body = await deps.announcements.searches.get(_key("suggest", text), load)
    return json_response(body or _NO_SUGGESTIONS)


@router.get("", response_model=ProductPage)
async def list_products(
    *,
    narrowed: Narrowed,
    deps: Wired,
    request: Request,
    sort: Sort = "newest",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """List active products, newest first unless asked otherwise.

    Prices, stock and attributes asked for mean one and the same variant, as in a search.
    """
    body = await listed(deps.database, narrowed, PageRequest(sort, limit, cursor))
    return _with_next(request, body)


def _words(q: str) -> str:
    """Return the query without the spaces around it. Raises InvalidQuery for an empty one."""
    text = " ".join(q.split())
    if "\x00" in q or not text:
        raise _invalid("/q", "the text is empty or holds a NUL character")
    return text


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _with_next(request: Request, body: bytes) -> Response:
    """Add the Link header (RFC 8288) to the following page, where there is one."""
    found = re.search(rb'"nextCursor":"([A-Za-z0-9_-]+)"', body)
    if found is None:
        return json_response(body)
    url = request.url.include_query_params(cursor=found[1].decode())
    return json_response(body, link=f'<{url.path}?{url.query}>; rel="next"')


def _attributes(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the attr.* filters; any other parameter that is not known is refused."""
    found = []
    for name, value in request.query_params.multi_items():
        if name in _KNOWN:
            continue
        match = _ATTRIBUTE.fullmatch(name)
        if match is None:
            raise _invalid("/?", "there is no such parameter; pages are reached by cursor")
        if not value.strip() or len(value) > _MAX_VALUE or "\x00" in value:
            raise _invalid("/attr", "the value is empty, too long or holds a NUL")
        found.append((match[1], value))
    if len(found) > _MAX_ATTRIBUTES:
        raise _invalid("/attr", f"at most {_MAX_ATTRIBUTES} attributes")
    return tuple(sorted(found))


def _invalid(pointer: str, detail: str) -> InvalidQuery:
    return InvalidQuery(errors=[FieldError(pointer, "invalid_parameter", detail)])
