"""The user service, which makes the owner of a store a seller."""

from http import HTTPStatus
from uuid import UUID

from common_lib.errors import NotFound, Unavailable
from common_lib.http_client import HttpClient


class RoleNotGranted(Unavailable):
    """The user service answered, but did not do it."""

    code = "role_not_granted"
    title = "The user service did not make the user a seller"


class UserClient:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def make_seller(self, user_id: UUID) -> None:
        """Have a customer become a seller; others keep their role. Safe to repeat.

        Raises NotFound for an account that does not exist (any more), RoleNotGranted for an
        answer that says neither, else Unavailable.
        """
        path = f"/internal/users/{user_id}/seller"
        answer = await self._http.request("PUT", path, is_idempotent=True)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise NotFound
        if answer.status != HTTPStatus.OK:
            raise RoleNotGranted(f"the user service answered {answer.status}")
