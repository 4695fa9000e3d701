"""What the order service asks of the user service: whom to write to and where to send it."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from common_lib.errors import NotFound, Unavailable
from common_lib.http_client import HttpClient

_OK: Final = 200
_NOT_FOUND: Final = 404
_MAX_KNOWN: Final = 10_000
_SNAPSHOT: Final = (
    "label",
    "fullName",
    "phone",
    "addressLine1",
    "addressLine2",
    "city",
    "state",
    "pincode",
    "country",
)


class AddressNotFound(NotFound):
    code = "address_not_found"
    title = "There is no such address, or it is not yours"


@dataclass(frozen=True, slots=True)
class Contact:
    """The recipient as a snapshot; `address` only where one was asked for."""

    email: str
    full_name: str
    address: dict[str, Any] | None


class Users:
    """Calls to the user service.

    E-mail and name are kept for a while, addresses never: an order must go where its buyer's
    address book says now.
    """

    def __init__(self, http: HttpClient, *, cache_ttl_s: float) -> None:
        self._http = http
        self._cache_ttl_s = cache_ttl_s
        self._known: OrderedDict[UUID, tuple[float, Contact]] = OrderedDict()

    async def contact(self, user_id: UUID, address_id: UUID | None = None) -> Contact:
        """Return the contact. Raises AddressNotFound, NotFound for a deleted user, Unavailable."""
        known = self._known.get(user_id)
        if address_id is None and known is not None and known[0] > time.monotonic():
            return known[1]
        path = f"/internal/users/{user_id}/contact"
        asked = f"{path}?addressId={address_id}" if address_id else path
        answer = await self._http.request("GET", asked, is_idempotent=True)
        if answer.status == _NOT_FOUND:
            raise AddressNotFound if address_id else NotFound
        if answer.status != _OK:
            raise Unavailable("the user service does not answer", retry_after_s=1)
        contact = _contact(answer.json())
        self._remember(user_id, contact)
        return contact

    def forget(self, user_id: UUID) -> None:
        self._known.pop(user_id, None)

    def _remember(self, user_id: UUID, contact: Contact) -> None:
        person = Contact(contact.email, contact.full_name, None)
        self._known[user_id] = (time.monotonic() + self._cache_ttl_s, person)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)


def _contact(body: Mapping[str, Any]) -> Contact:
    address = body.get("address")
    if address is not None:
        address = {name: address[name] for name in _SNAPSHOT if address.get(name) is not None}
    return Contact(body["email"], body["fullName"], address)
