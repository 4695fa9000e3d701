"""What the endpoints are given, and the little they share."""

import re
import zlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request, Response

from catalog_service.services.announcements import Announcements
from catalog_service.services.batcher import ReservationBatcher
from catalog_service.services.images import Images
from catalog_service.services.imports.jobs import Door
from catalog_service.services.search.searching import Searcher
from catalog_service.services.seller_roles import SellerRoles
from catalog_service.services.shelf_keeper import ShelfKeeper
from catalog_service.settings import Settings
from common_lib.auth import Principal, Role, require_role
from common_lib.database import Database
from common_lib.errors import PreconditionFailed
from common_lib.joined_loads import JoinedLoads
from common_lib.runtime.hot_reads import names_tag, pack

JSON: Final = "application/json"
# For the OpenAPI document: what `expected_version` reads.
IF_MATCH: Final = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "description": "The ETag of what was seen; 412 if it was changed since.",
            "schema": {"type": "string"},
        }
    ]
}
# For the OpenAPI document: what `moved` answers.
MOVED: Final[dict[int | str, dict[str, Any]]] = {
    301: {
        "description": "The slug is a former one; `Location` leads to the present one.",
        "headers": {"Location": {"schema": {"type": "string"}}},
        "content": {},
    }
}
_VERSION_TAG: Final = re.compile(r'^(?:W/)?"(\d{1,10})(?:-[0-9a-f]{1,8})?"$')


@dataclass(frozen=True, slots=True)
class Deps:
    """The wiring of one process, kept at `app.state.deps`."""

    settings: Settings
    database: Database
    batcher: ReservationBatcher
    announcements: Announcements
    seller_roles: SellerRoles
    shelf_keeper: ShelfKeeper
    searcher: Searcher
    images: Images
    import_door: Door
    pages: JoinedLoads[UUID, bytes]


def deps_of(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


# A coroutine, because FastAPI gives a plain function a thread of its own.
async def _wired(request: Request) -> Deps:
    return deps_of(request)


Wired = Annotated[Deps, Depends(_wired)]

# An applicant is still a customer, so whose store it is goes by the user and not by the role.
Member = Annotated[Principal, Depends(require_role(Role.CUSTOMER, Role.SELLER, Role.ADMIN))]
Merchant = Annotated[Principal, Depends(require_role(Role.SELLER, Role.ADMIN))]
Admin = Annotated[Principal, Depends(require_role(Role.ADMIN))]


def json_response(body: bytes, status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status_code=status, media_type=JSON, headers=named)


def etag(version: int, body: bytes) -> str:
    """Return a tag that changes with the bytes and still names the version If-Match is about."""
    return f'"{version}-{zlib.crc32(body):08x}"'


def tagged(body: bytes) -> bytes:
    """Pack a representation that has no version for a cache, its tag made of the bytes alone."""
    return pack(f'"{zlib.crc32(body):08x}"', body)


def expected_version(request: Request) -> int | None:
    """Return the version If-Match names; None for no header or `*`. Raises PreconditionFailed."""
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    found = _VERSION_TAG.match(header.strip())
    if found is None:
        raise PreconditionFailed
    return int(found[1])


def is_known_to_client(request: Request, tag: str) -> bool:
    """Tell whether If-None-Match names this tag."""
    return names_tag(request.headers.get("if-none-match"), tag)


def moved(request: Request, former: str, present: str, *, is_public: bool = True) -> Response:
    """Lead on from a former slug, the last part of the path, to the present one.

    Not to be kept without asking again: another thing may take the former slug.
    """
    path = f"{request.url.path.removesuffix(former)}{present}"
    query = f"?{request.url.query}" if request.url.query else ""
    headers = {
        "location": path + query,
        "cache-control": "no-cache" if is_public else "private, no-store",
    }
    return Response(status_code=HTTPStatus.MOVED_PERMANENTLY, headers=headers)
