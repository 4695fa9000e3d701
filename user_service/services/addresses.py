"""Use cases of addresses. Exactly one is the default as long as there is any."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import Conflict, NotFound
from common_lib.ids import new_id
from user_service.models import Address
from user_service.queries import accounts, addresses
from user_service.schemas.addresses import AddressRequest
from user_service.schemas.enums import UserStatus


class TooManyAddresses(Conflict):
    code = "too_many_addresses"
    title = "There is no room for another address"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every change locks the account's row first, so that one user's changes come one by one."""

    db: Database
    max_per_user: int

    async def add(self, user_id: UUID, wanted: AddressRequest) -> Address:
        """Add an address; the first one is the default. Raises TooManyAddresses or NotFound."""

        async def work(session: WriteSession) -> Address:
            await _lock_owner(session, user_id)
            count = await addresses.count_addresses(session, user_id)
            if count >= self.max_per_user:
                raise TooManyAddresses
            moment = now()
            is_default = bool(wanted.is_default) or count == 0
            if is_default:
                await addresses.clear_default_address(session, user_id, moment)
            address = _new_address(user_id, wanted, moment, is_default=is_default)
            session.add(address)
            return address

        return await self.db.transact(work)

    async def of_user(self, user_id: UUID) -> Sequence[Address]:
        """Return the addresses, the default one first. Raises NotFound for no such user."""
        async with self.db.read_own_writes() as session:
            user = await accounts.user_by_id(session, user_id)
            if user is None or user.status is UserStatus.DELETED:
                raise NotFound
            return await addresses.addresses_of(session, user_id)

    async def change(self, user_id: UUID, address_id: UUID, wanted: AddressRequest) -> Address:
        """Replace an address. The default mark is only ever moved, never just taken off."""

        async def work(session: WriteSession) -> Address:
            await _lock_owner(session, user_id)
            address = _found(await addresses.address_of(session, user_id, address_id))
            moment = now()
            if wanted.is_default:
                await _make_default(session, address, moment)
            _fill(address, wanted)
            address.updated_at = moment
            return address

        return await self.db.transact(work)

    async def make_default(self, user_id: UUID, address_id: UUID) -> Address:
        """Move the default mark to this address. Safe to repeat."""

        async def work(session: WriteSession) -> Address:
            await _lock_owner(session, user_id)
            address = _found(await addresses.address_of(session, user_id, address_id))
            await _make_default(session, address, now())
            return address

        return await self.db.transact(work)

    async def remove(self, user_id: UUID, address_id: UUID) -> None:
        """Delete an address; the oldest of the others takes the default mark over."""

        async def work(session: WriteSession) -> None:
            await _lock_owner(session, user_id)
            address = _found(await addresses.address_of(session, user_id, address_id))
            was_default = address.is_default
            await session.delete(address)
            await session.flush()
            heir = await addresses.oldest_address_of(session, user_id) if was_default else None
            if heir is not None:
                await _make_default(session, heir, now())

        await self.db.transact(work)


async def _lock_owner(session: WriteSession, user_id: UUID) -> None:
    user = await accounts.lock_user(session, user_id)
    if user is None or user.status is UserStatus.DELETED:
        raise NotFound


async def _make_default(session: WriteSession, address: Address, moment: datetime) -> None:
    if address.is_default:
        return
    await addresses.clear_default_address(session, address.user_id, moment)
    address.is_default = True
    address.updated_at = moment


def _found(address: Address | None) -> Address:
    if address is None:
        raise NotFound
    return address


def _new_address(
    user_id: UUID, wanted: AddressRequest, moment: datetime, *, is_default: bool
) -> Address:
    address = Address(
        id=new_id(),
        user_id=user_id,
        is_default=is_default,
        created_at=moment,
        updated_at=moment,
    )
    _fill(address, wanted)
    return address


def _fill(address: Address, wanted: AddressRequest) -> None:
    for name, value in wanted.model_dump(exclude={"is_default"}, by_alias=False).items():
        setattr(address, name, value)
