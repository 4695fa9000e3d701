"""Bodies that are no JSON, or none that can be taken."""

import httpx2
import pytest

from tests.problems import assert_problem


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b'{"email": "a@b.example", "password": "password123", "fullName": "\xff"}', 400),
        (b'{"email": "a@b.example", "password": NaN, "fullName": "A"}', 422),
        (b'{"email": "a@b.example", "password": 1e400, "fullName": "A"}', 422),
        (b'{"email": "a@b.example", "password": true, "fullName": "A"}', 422),
        (b'{"email": "a@b.example", "password": "password123", "fullName": "A\\u0000"}', 422),
        (b'{"email": "a@b.example", "password": "password123", "fullName": "\\ud800"}', 422),
        (b'{"email": "a@b.example", "password": "password123", "fullName": "A", "x": 1}', 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"[" * 20_000, 400),
        (b'{"email": "a@b.example", "email": "c@d.example", "password": "password123"}', 400),
        (b'{"email": "a@b.example", "\\u0065mail": "c@d.example", "password": "p"}', 400),
        (b'{"email": "a@b.example", "password": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
    ],
)
@pytest.mark.parametrize("path", ["/api/users", "/api/auth/login"])
async def test_json_that_cannot_be_taken(
    http: httpx2.AsyncClient, path: str, body: bytes, status: int
) -> None:
    answer = await http.post(path, content=body, headers={"content-type": "application/json"})

    assert_problem(answer, status)
