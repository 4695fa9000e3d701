"""The category tree over HTTP."""

import re
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from catalog_service.api.deps import MOVED, Deps, Wired, json_response, moved, tagged
from catalog_service.schemas.categories import (
    CategoryEdit,
    CategoryIn,
    CategoryMove,
    CategoryOut,
    CategoryRow,
    CategoryTree,
)
from catalog_service.services import categories
from common_lib.auth import Role, require_role
from common_lib.errors import NotFound
from common_lib.problems import StrictRoute, parse_id
from common_lib.runtime.hot_reads import packed_response

router = APIRouter(prefix="/api/categories", tags=["categories"], route_class=StrictRoute)

TREE: Final = "tree"
_SLUG: Final = re.compile(r"[a-z0-9-]{1,140}")
_NO_CATEGORIES: Final = tagged(b'{"items":[]}')
_for_admins = [Depends(require_role(Role.ADMIN))]


@router.get("", response_model=CategoryTree)
async def get_tree(request: Request, deps: Wired) -> Response:
    """Show the whole tree; it may be an hour old, unless an administrator changed it."""

    async def load() -> bytes:
        return tagged((await categories.tree(deps.database)).model_dump_json().encode())

    packed = await deps.announcements.categories.get(TREE, load)
    return packed_response(request, packed or _NO_CATEGORIES)


@router.get("/slug/{slug}", response_model=CategoryOut, responses=MOVED)
async def category_by_slug(slug: str, request: Request, deps: Wired) -> Response:
    """Show the category a link names, with all below it.

    A former slug, or one in capitals, leads on.
    """
    wanted = slug.lower()
    if not _SLUG.fullmatch(wanted):
        raise NotFound
    category = await categories.by_slug(deps.database, wanted)
    if category.slug != slug:
        return moved(request, slug, category.slug)
    return packed_response(request, tagged(category.model_dump_json().encode()))


@router.post(
    "", status_code=HTTPStatus.CREATED, response_model=CategoryRow, dependencies=_for_admins
)
async def create_category(body: CategoryIn, deps: Wired) -> Response:
    """Add a category."""
    category = await categories.create(deps.database, body)
    return await _changed(deps, category, HTTPStatus.CREATED)


@router.put("/{category_id}", response_model=CategoryRow, dependencies=_for_admins)
async def update_category(category_id: str, body: CategoryEdit, deps: Wired) -> Response:
    """Rename or describe a category."""
    category = await categories.update(deps.database, parse_id(category_id), body)
    return await _changed(deps, category)


@router.post("/{category_id}/move", response_model=CategoryRow, dependencies=_for_admins)
async def move_category(category_id: str, body: CategoryMove, deps: Wired) -> Response:
    """Move a category with all below it."""
    category = await categories.move(deps.database, parse_id(category_id), body)
    return await _changed(deps, category)


@router.delete("/{category_id}", status_code=HTTPStatus.NO_CONTENT, dependencies=_for_admins)
async def delete_category(category_id: str, deps: Wired) -> Response:
    """Delete a category that is empty."""
    await categories.delete(deps.database, parse_id(category_id))
    await deps.announcements.categories.drop(TREE)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _changed(
    deps: Deps, category: CategoryRow, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    await deps.announcements.categories.drop(TREE)
    return json_response(category.model_dump_json().encode(), status)
