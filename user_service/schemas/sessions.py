"""Sessions as a list of devices shows them."""

from datetime import datetime
from uuid import UUID

from common_lib.problems import ApiModel


class SessionResponse(ApiModel):
    """A device that is logged in; address and user agent are those of its latest renewal."""

    id: UUID
    user_agent: str
    ip_address: str
    is_current: bool
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


class SessionList(ApiModel):
    items: list[SessionResponse]
    next_cursor: str | None
