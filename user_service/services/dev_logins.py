"""The logins that `shop seed` makes for development: everybody knows their password."""

from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from common_lib.database import Database
from common_lib.errors import Unavailable
from common_lib.settings.start import UnfitForStart
from user_service.queries import accounts

log = structlog.get_logger(__name__)

DEV_LOGINS: Final[Sequence[str]] = (
    "admin@shop.example",
    "banyan@shop.example",
    "demo@shop.example",
    "kosha@shop.example",
    "northfell@shop.example",
    "seller@shop.example",
    "vaigai@shop.example",
)


async def refuse_dev_logins(db: Database) -> None:
    """Raise UnfitForStart naming those that could log in.

    A database that does not answer is waited for by readiness, not here: until then nobody logs in
    at all, and production refuses these at every login, too.
    """
    try:
        async with db.read_own_writes() as session:
            found = await accounts.active_among(session, DEV_LOGINS)
    except (Unavailable, SQLAlchemyError) as error:
        log.warning("dev_logins.not_looked_for", error=type(error).__name__)
        return
    if found:
        names = ", ".join(found)
        raise UnfitForStart(
            f"users_db holds development logins with a published password: {names}\n"
            "suspend these accounts before the first start in production"
        )
