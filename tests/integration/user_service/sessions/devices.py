"""The devices that one account is logged in on, and what is kept of them."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from common_lib.clock import now
from tests.integration.user_service.conftest import Served
from tests.shopper import Shopper
from user_service.models import LoginSession, RefreshToken


async def expire_refresh_tokens(app: Served, user_id: str) -> None:
    async def work(session: Any) -> None:
        statement = sa.update(RefreshToken).where(RefreshToken.user_id == UUID(user_id))
        await session.execute(statement.values(expires_at=now()))

    await app.database.transact(work)


async def listed(person: Shopper, query: str = "") -> dict[str, Any]:
    answer = await person.request("GET", f"/api/auth/sessions{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    page: dict[str, Any] = answer.json()
    return page


async def log_in_from(app: Served, person: Shopper, address: str, user_agent: str) -> Shopper:
    """Log the same account in on another device."""
    device = Shopper(app.client_from(address), headers={"User-Agent": user_agent})
    return await device.login(person.email)


async def change_sessions(app: Served, user_id: str, **values: Any) -> None:
    async def work(session: Any) -> None:
        owned = LoginSession.user_id == UUID(user_id)
        await session.execute(sa.update(LoginSession).where(owned).values(**values))

    await app.database.transact(work)
