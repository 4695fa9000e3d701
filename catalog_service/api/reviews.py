"""Reviews over HTTP, for readers, buyers and moderators."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from catalog_service.api.deps import Wired, json_response
from catalog_service.api.paging import Cursor, Limit, page_response
from catalog_service.models.reviews import ReviewStatus
from catalog_service.schemas.reviews import (
    ModeratedReviewOut,
    ModerationPage,
    OwnReviewOut,
    ReviewIn,
    ReviewPage,
    VerdictIn,
)
from catalog_service.services import reviews
from catalog_service.services.reviews import Changed, PageRequest
from common_lib.auth import MaybeUser, Principal, Role, require_role
from common_lib.problems import ApiModel, StrictRoute, parse_id

router = APIRouter(prefix="/api", tags=["reviews"], route_class=StrictRoute)

PRIVATE: Final = "private, no-store"
Author = Annotated[Principal, Depends(require_role(Role.CUSTOMER, Role.SELLER, Role.ADMIN))]
Moderator = Annotated[Principal, Depends(require_role(Role.ADMIN))]


@router.get(
    "/products/{product_id}/reviews",
    response_model=ReviewPage,
)
async def list_reviews(
    *,
    product_id: str,
    reader: MaybeUser,
    request: Request,
    deps: Wired,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Show a product's approved reviews, newest first; a token adds the caller's own."""
    page = PageRequest(limit, cursor)
    found = await reviews.approved(deps.database, parse_id(product_id), page, reader=reader)
    return page_response(request, found, cache_control=PRIVATE if reader else "no-cache")


@router.post(
    "/products/{product_id}/reviews",
    status_code=HTTPStatus.CREATED,
    response_model=OwnReviewOut,
)
async def write_review(product_id: str, body: ReviewIn, principal: Author, deps: Wired) -> Response:
    """Review a product that was bought."""
    review = await reviews.write(deps.database, principal, parse_id(product_id), body)
    return _answer(reviews.own_out(review), HTTPStatus.CREATED)


@router.put("/reviews/{review_id}", response_model=OwnReviewOut)
async def edit_review(review_id: str, body: ReviewIn, principal: Author, deps: Wired) -> Response:
    """Change a review; it is moderated again."""
    changed = await reviews.edit(deps.database, principal, parse_id(review_id), body)
    await _announce(deps, changed)
    return _answer(reviews.own_out(changed.review))


@router.delete("/reviews/{review_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_review(review_id: str, principal: Author, deps: Wired) -> Response:
    """Delete a review."""
    await _announce(deps, await reviews.delete(deps.database, principal, parse_id(review_id)))
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    "/reviews",
    response_model=ModerationPage,
)
async def moderation_queue(
    *,
    principal: Moderator,
    request: Request,
    deps: Wired,
    status: Annotated[ReviewStatus, Query()] = ReviewStatus.PENDING,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """Show what waits for a moderator, oldest first, or what was decided."""
    del principal
    found = await reviews.queue(deps.database, status, PageRequest(limit, cursor))
    return page_response(request, found, cache_control=PRIVATE)


@router.patch("/reviews/{review_id}/status", response_model=ModeratedReviewOut)
async def moderate_review(
    review_id: str, body: VerdictIn, principal: Moderator, deps: Wired
) -> Response:
    """Approve or reject a review."""
    changed = await reviews.moderate(deps.database, principal, parse_id(review_id), body)
    await _announce(deps, changed)
    return _answer(reviews.moderated_out(changed.review))


async def _announce(deps: Wired, changed: Changed) -> None:
    if changed.is_rating_new:
        await deps.announcements.product_changed(changed.review.product_id)


def _answer(body: ApiModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return json_response(body.model_dump_json().encode(), status, cache_control=PRIVATE)
