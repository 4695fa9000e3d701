"""The category tree over HTTP."""

from fastapi import APIRouter, Response

from catalog_service.api.deps import Wired, json_response
from catalog_service.schemas.categories import CategoryTree
from catalog_service.services import categories

router = APIRouter(prefix="/api/categories", tags=["categories"])

TREE = "tree"


@router.get("", response_model=CategoryTree)
async def get_tree(deps: Wired) -> Response:
    """Show the whole tree; it may be an hour old, unless an administrator changed it."""

    async def load() -> bytes:
        return (await categories.tree(deps.database)).model_dump_json().encode()

    body = await deps.announcements.categories.get(TREE, load)
    return json_response(body or b'{"items":[]}')
