"""What all lists share: the parameters of a page, and the way to the next."""

from http import HTTPStatus
from typing import Annotated, Final, Protocol

from fastapi import Query, Request, Response

from catalog_service.api.deps import json_response

MAX_LIMIT: Final = 100

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Cursor = Annotated[str | None, Query(max_length=256)]


class AnyPage(Protocol):
    """A list's body."""

    @property
    def next_cursor(self) -> str | None: ...

    def model_dump_json(self) -> str: ...


def page_response(request: Request, page: AnyPage, **headers: str) -> Response:
    """Answer with a page, and a Link header (RFC 8288) where another follows."""
    if page.next_cursor is not None:
        url = request.url.include_query_params(cursor=page.next_cursor)
        headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
    return json_response(page.model_dump_json().encode(), HTTPStatus.OK, **headers)
