"""Coming in with a password or a refresh token, and who is let in."""

from typing import Any

import httpx2

from tests.integration.user_service.conftest import Served
from tests.shopper import Shopper


async def login(
    client: httpx2.AsyncClient,
    email: str,
    password: str,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> httpx2.Response:
    body = {"email": email, "password": password} | more
    return await client.post("/api/auth/login", json=body, headers=headers)


async def refresh(app: Served, token: str) -> httpx2.Response:
    return await app.client.post("/api/auth/refresh", json={"refreshToken": token})


async def is_let_in(person: Shopper, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await person.http.get(f"/api/users/{person.user_id}", headers=headers)
    return answer.status_code == 200


async def is_let_out(person: Shopper, token: str) -> bool:
    return not await is_let_in(person, token)
