"""What the user service asks of the order service: that a guest's cart becomes a customer's."""

from http import HTTPStatus
from uuid import UUID

from common_lib.errors import Unavailable
from common_lib.http_client import HttpClient


class Orders:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def merge_cart(self, *, guest_id: UUID, user_id: UUID) -> None:
        """Move what the guest's cart holds into the user's; repeating it is safe.

        Raises Unavailable when the order service does not answer or cannot reach its carts.
        """
        answer = await self._http.request(
            "POST",
            f"/internal/carts/{user_id}/merge",
            json={"guestId": str(guest_id)},
            is_idempotent=True,
        )
        if answer.status != HTTPStatus.NO_CONTENT:
            raise Unavailable("the order service does not answer", retry_after_s=1)
