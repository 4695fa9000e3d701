"""What the endpoints are given, and the little they share."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import Depends, Header, Query, Request, Response

from common_lib.auth import Principal, Role, require_role
from common_lib.cursors import decode_cursor, encode_cursor
from common_lib.problems import parse_id
from order_service.schemas.common import DEFAULT_PAGE, MAX_PAGE
from order_service.services.wiring import UseCases

JSON: Final = "application/json"
REPLAYED: Final = "Idempotent-Replayed"
# All lists here begin with the newest.
_NEWEST: Final = "newest"
_STRONG_TAG: Final = re.compile(r'"([0-9]{1,9})"')


@dataclass(frozen=True, slots=True)
class PageWish:
    """Which page of a list is asked for: `limit` items after the one with id `before_id`."""

    limit: int
    before_id: UUID | None


def deps_of(request: Request) -> UseCases:
    """Return the use cases of this process, kept at `app.state.deps`."""
    deps: UseCases = request.app.state.deps
    return deps


# Dependencies are coroutines throughout: FastAPI gives a plain function a thread of its own.
async def _wired(request: Request) -> UseCases:
    return deps_of(request)


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with ready bytes, or with what orjson makes of anything else."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status_code=status, media_type=JSON, headers=headers)


def page_response(
    request: Request, wish: PageWish, items: Sequence[Any], ids: Sequence[UUID]
) -> Response:
    """Answer with a page; a full one names the next by cursor and by Link."""
    is_full = len(ids) == wish.limit
    cursor = encode_cursor(_NEWEST, None, ids[-1]) if is_full else None
    headers = {"Link": _next_link(request, cursor)} if cursor else None
    return json_response({"items": items, "nextCursor": cursor}, headers=headers)


def _next_link(request: Request, cursor: str) -> str:
    query = {**request.query_params, "cursor": cursor}
    return f'<{request.url.path}?{urlencode(query)}>; rel="next"'


async def _page_wish(
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
) -> PageWish:
    return PageWish(limit, decode_cursor(cursor, _NEWEST)[1] if cursor is not None else None)


async def _path_user(user_id: str) -> UUID:
    return parse_id(user_id)


async def _path_variant(variant_id: str) -> UUID:
    return parse_id(variant_id)


async def _path_order(order_id: str) -> UUID:
    return parse_id(order_id)


async def _path_coupon(coupon_id: str) -> UUID:
    return parse_id(coupon_id)


async def _expected_versions(
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> frozenset[int] | None:
    """Return the versions named by If-Match; None where any version will do.

    Weak tags never match (RFC 9110, 13.1.1), and what is no tag of ours names no version.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = (_STRONG_TAG.fullmatch(tag.strip()) for tag in if_match.split(","))
    return frozenset(int(tag[1]) for tag in tags if tag)


async def _path_seller(seller_id: str) -> UUID:
    return parse_id(seller_id)


async def _path_payment(payment_id: str) -> UUID:
    return parse_id(payment_id)


BUYERS: Final = (Role.CUSTOMER, Role.SELLER, Role.ADMIN)

Wired = Annotated[UseCases, Depends(_wired)]
Paged = Annotated[PageWish, Depends(_page_wish)]
PathUser = Annotated[UUID, Depends(_path_user)]
PathVariant = Annotated[UUID, Depends(_path_variant)]
PathOrder = Annotated[UUID, Depends(_path_order)]
PathCoupon = Annotated[UUID, Depends(_path_coupon)]
IfMatch = Annotated[frozenset[int] | None, Depends(_expected_versions)]
PathSeller = Annotated[UUID, Depends(_path_seller)]
PathPayment = Annotated[UUID, Depends(_path_payment)]
KeyHeader = Annotated[str | None, Header(alias="Idempotency-Key")]
Buyer = Annotated[Principal, Depends(require_role(*BUYERS))]
Admin = Annotated[Principal, Depends(require_role(Role.ADMIN))]
