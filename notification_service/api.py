"""The notification log over HTTP."""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from common_lib.auth import CurrentUser, Principal, ServiceName, ensure_self, require_service
from common_lib.cursors import decode_cursor, encode_cursor
from common_lib.problems import StrictRoute, parse_id
from notification_service.models import NotificationLog
from notification_service.queries import Filter
from notification_service.schemas import (
    HeldNotifications,
    NotificationList,
    NotificationResponse,
    NotificationStatus,
)
from notification_service.services.notifications import NotificationLogs

router = APIRouter(route_class=StrictRoute, tags=["notifications"])

_NEWEST: Final = "newest"
_HELD_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Deps:
    logs: NotificationLogs


def wiring(request: Request) -> Deps:
    deps: Deps = request.app.state.deps
    return deps


def wanted_filter(
    *,
    principal: CurrentUser,
    user_id: Annotated[UUID | None, Query(alias="userId")] = None,
    order_id: Annotated[UUID | None, Query(alias="orderId")] = None,
    event_type: Annotated[str | None, Query(alias="eventType", max_length=64)] = None,
    status: NotificationStatus | None = None,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
) -> Filter:
    """Return the filter; only an administrator may look beyond the own notifications."""
    return Filter(
        user_id=_visible_user(principal, user_id),
        order_id=order_id,
        event_type=event_type,
        status=status,
        before=decode_cursor(cursor, _NEWEST)[1] if cursor is not None else None,
    )


@router.get("/api/notifications")
async def notifications(
    request: Request,
    response: Response,
    deps: Annotated[Deps, Depends(wiring)],
    wanted: Annotated[Filter, Depends(wanted_filter)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> NotificationList:
    """List notifications, the newest first."""
    found = await deps.logs.newest(wanted, limit + 1)
    shown = found[:limit]
    next_cursor = encode_cursor(_NEWEST, None, shown[-1].id) if len(found) > limit else None
    if next_cursor is not None:
        query = {**request.query_params, "cursor": next_cursor}
        response.headers["Link"] = f'<{request.url.path}?{urlencode(query)}>; rel="next"'
    return NotificationList(items=[_body(row) for row in shown], next_cursor=next_cursor)


@router.get(
    "/internal/users/{user_id}/held/notifications",
    dependencies=[Depends(require_service(ServiceName.USER))],
    include_in_schema=False,
)
async def held(
    user_id: str,
    deps: Annotated[Deps, Depends(wiring)],
    after: Annotated[UUID | None, Query()] = None,
) -> HeldNotifications:
    """Show the user service what was sent to one person, for an export."""
    found = await deps.logs.of_user(parse_id(user_id), after, _HELD_PAGE)
    following = found[-1].id if len(found) == _HELD_PAGE else None
    return HeldNotifications(items=[_body(row) for row in found], next_after=following)


def _visible_user(principal: Principal, user_id: UUID | None) -> UUID | None:
    if user_id is not None:
        ensure_self(principal, user_id, admin_ok=True)
        return user_id
    return None if principal.is_admin else principal.user_id


def _body(row: NotificationLog) -> NotificationResponse:
    return NotificationResponse(
        id=row.id,
        event_id=row.event_id,
        event_type=row.event_type,
        channel=row.channel.value,
        recipient=row.recipient,
        subject=row.subject,
        status=row.status.value,
        retry_count=row.retry_count,
        created_at=row.created_at,
        sent_at=row.sent_at,
    )
