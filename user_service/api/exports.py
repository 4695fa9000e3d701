"""One person's data, to take away."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from common_lib.auth import CurrentUser, ensure_self
from common_lib.problems import StrictRoute
from user_service.api.deps import PathUserId, Wiring
from user_service.api.shapes import address_body, user_body
from user_service.models import LoginSession
from user_service.schemas.exports import (
    ExportedAccount,
    ExportedSecondFactor,
    ExportedSession,
    PersonalData,
)
from user_service.services.exports import Collected

router = APIRouter(route_class=StrictRoute, tags=["users"])


@router.get("/api/users/{user_id}/export", response_model=PersonalData)
async def export(user_id: PathUserId, principal: CurrentUser, deps: Wiring) -> Response:
    """Hand out all that the shop holds about the person, as one JSON document to save."""
    ensure_self(principal, user_id, admin_ok=True)
    body = _body(await deps.exports.collect(user_id))
    headers = {
        "Content-Disposition": f'attachment; filename="personal-data-{user_id}.json"',
        "Cache-Control": "no-store",
    }
    return Response(
        body.model_dump_json(), HTTPStatus.OK, headers=headers, media_type="application/json"
    )


def _body(collected: Collected) -> PersonalData:
    own = collected.own
    return PersonalData(
        exported_at=collected.at,
        account=ExportedAccount(
            **user_body(own.user).model_dump(by_alias=False),
            preferences=own.user.preferences,
            updated_at=own.user.updated_at,
        ),
        second_factor=ExportedSecondFactor(
            enabled_at=own.authenticator.confirmed_at if own.authenticator else None,
            unused_recovery_codes=own.unused_recovery_codes,
        ),
        addresses=[address_body(address) for address in own.addresses],
        sessions=[_session(session) for session in own.sessions],
        orders=collected.parts["orders"],
        cart=collected.parts["cart"],
        reviews=collected.parts["reviews"],
        wishlist=collected.parts["wishlist"],
        stores=collected.parts["stores"],
        notifications=collected.parts["notifications"],
    )


def _session(session: LoginSession) -> ExportedSession:
    return ExportedSession(
        id=session.id,
        user_agent=session.user_agent,
        ip_address=session.ip_address,
        created_at=session.created_at,
        last_used_at=session.last_used_at,
        expires_at=session.expires_at,
        ended_at=session.ended_at,
    )
