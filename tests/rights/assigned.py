"""Mass assignment: what a client must not say of itself or of its things, and might try to."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

ASSIGNED: Final[Mapping[str, Any]] = {
    "id": str(uuid4()),
    "userId": str(uuid4()),
    "user_id": str(uuid4()),
    "ownerId": str(uuid4()),
    "sellerId": str(uuid4()),
    "role": "ADMIN",
    "roles": ["ADMIN"],
    "isAdmin": True,
    "is_admin": True,
    "status": "ACTIVE",
    "isActive": True,
    "is_active": True,
    "emailVerified": True,
    "email_verified": True,
    "passwordHash": "x",
    "version": 1,
    "createdAt": "2026-01-01T00:00:00Z",
    "created_at": "2026-01-01T00:00:00Z",
    "price": {"amount": 1, "currency": "INR"},
    "unitPrice": {"amount": 1, "currency": "INR"},
    "total": {"amount": 1, "currency": "INR"},
    "discount": {"amount": 1, "currency": "INR"},
    "usedCount": 0,
    "avgRating": 5,
    "reserved": 0,
    "orderNumber": "1",
    "__proto__": {"isAdmin": True},
    "constructor": {"prototype": {"isAdmin": True}},
    "$set": {"role": "ADMIN"},
}


def widened(body: Mapping[str, Any], taken: set[str]) -> Iterator[tuple[Any, str]]:
    """Yield the body with each such member at each of its objects, and the pointer to it.

    `taken` are the names that the document of the route knows.
    """
    for name, value in ASSIGNED.items():
        if name not in taken:
            yield {**body, name: value}, f"/{'?' if name.startswith('$') else name}"
    for member, part in body.items():
        if isinstance(part, dict):
            for inner, pointer in widened(part, taken):
                yield {**body, member: inner}, f"/{member}{pointer}"
        elif isinstance(part, list) and part and isinstance(part[0], dict):
            for inner, pointer in widened(part[0], taken):
                yield {**body, member: [inner, *part[1:]]}, f"/{member}/0{pointer}"


def taken_by(document: Mapping[str, Any], method: str, path: str) -> set[str]:
    """Return the names of all members that the body of an operation may have, at any depth."""
    operation = document["paths"].get(path, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {})
    waiting, seen = [each["schema"] for each in content.values()], set()
    names: set[str] = set()
    while waiting:
        part = waiting.pop()
        reference = part.get("$ref")
        if reference is not None and reference not in seen:
            seen.add(reference)
            waiting.append(document["components"]["schemas"][reference.rpartition("/")[2]])
        names |= set(part.get("properties", {}))
        waiting += [each for each in part.get("properties", {}).values() if isinstance(each, dict)]
        waiting += part.get("anyOf", []) + part.get("oneOf", []) + part.get("allOf", [])
        waiting += [part["items"]] if isinstance(part.get("items"), dict) else []
    return names
