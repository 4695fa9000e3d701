"""The use case of exports: all that the shop holds about a person, in one piece or not at all."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common_lib.clock import now
from common_lib.database import Database
from common_lib.errors import NotFound
from user_service.clients.exports import PARTS, HeldData
from user_service.queries.exports import OwnData, own_data
from user_service.schemas.enums import UserStatus


@dataclass(frozen=True, slots=True)
class Collected:
    """What was found, and when."""

    at: datetime
    own: OwnData
    parts: Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Exports:
    db: Database
    held: HeldData

    async def collect(self, user_id: UUID) -> Collected:
        """Return what all services hold. Raises NotFound, or ExportIncomplete if one is away."""
        moment = now()
        async with self.db.read_own_writes() as session:
            own = await own_data(session, user_id)
        if own is None or own.user.status is UserStatus.DELETED:
            raise NotFound
        found = await asyncio.gather(*(self.held.part(name, user_id) for name in PARTS))
        return Collected(moment, own, dict(zip(PARTS, found, strict=True)))
