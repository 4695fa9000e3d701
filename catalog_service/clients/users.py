"""The user service's public keys, by which access tokens are checked."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from common_lib.errors import Unavailable
from common_lib.http_client import HttpClient


def keys_from(http: HttpClient, path: str) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    """Return a function that fetches the JWKS document; it raises Unavailable."""

    async def fetch() -> Mapping[str, Any]:
        answer = await http.request("GET", path, is_idempotent=True)
        if answer.status != HTTPStatus.OK:
            raise Unavailable("the keys for checking tokens cannot be fetched", retry_after_s=1)
        document: Mapping[str, Any] = answer.json()
        return document

    return fetch
