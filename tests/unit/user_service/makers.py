"""Valid defaults for the user service's tests; a test states only what matters to it."""

from typing import Any

from common_lib.clock import now
from common_lib.ids import new_id
from user_service.models import User
from user_service.schemas.enums import UserRole, UserStatus


def user(**changes: Any) -> User:
    moment = now()
    values = {
        "id": new_id(),
        "email": "a@example.com",
        "password_hash": "x",
        "full_name": "A",
        "role": UserRole.CUSTOMER,
        "status": UserStatus.ACTIVE,
        "version": 3,
        "created_at": moment,
        "updated_at": moment,
    }
    return User(**values | changes)
