"""A row of the table, and how its requests are sent."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import httpx2

from catalog_service.models import SellerStatus
from common_lib.auth import Role, ServiceTokens, SigningKey, TokenSigner
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, new_key
from tests.integration.catalog_service.rights.callers import Actor
from tests.integration.catalog_service.rights.worlds import USUAL, Scene, World, build
from tests.rights.rows import RouteRow

Prepare = Callable[[World], Awaitable[Any]]


@dataclass(frozen=True)
class Row(RouteRow[Actor, World]):
    """A route in one state of its things."""

    scene: Scene = USUAL
    prepare: Prepare | None = None
    is_csv: bool = False

    def __str__(self) -> str:
        state = "" if self.scene == USUAL else f" {self.scene}"
        return f"{super().__str__()}{state}"

    @property
    def parameters(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    def acts_on_own(self, actor: Actor) -> bool:
        return "S" in self.spec and actor in {Actor.PENDING, Actor.SUSPENDED}

    async def world(self, catalog: Catalog, actor: Actor | None = None) -> World:
        """Return fresh things, in the state that this actor's own are in."""
        is_own = actor is not None and self.acts_on_own(actor)
        scene = self.scene.of(actor) if actor is not None and is_own else self.scene
        world = await build(catalog, scene)
        if self.prepare is None:
            return world
        return replace(world, prepared=await self.prepare(world))

    async def send(
        self, world: World, headers: Mapping[str, str], **changed: Any
    ) -> httpx2.Response:
        """Send a good request; `changed` replaces ids of the path, or the `body`."""
        body = changed.pop("body", self.body(world) if self.body else None)
        url = self.target(world, **changed)
        given: dict[str, Any] = {"headers": dict(headers)}
        if self.is_csv:
            given["content"] = body
            given["headers"].setdefault("content-type", "text/csv")
        elif body is not None:
            given["json"] = body
        return await world.catalog.client.request(self.method, url, **given)


@dataclass(frozen=True)
class Cast:
    """The headers of every actor, with stores for those who own one that a row is not about."""

    catalog: Catalog
    users: Mapping[Actor, UUID]
    fixed: Mapping[Actor, Mapping[str, str]]
    # Their tokens live for a minute, less than the table takes: each is issued when it is used.
    services: Mapping[Actor, tuple[ServiceTokens, str]]

    def headers(self, row: Row, actor: Actor, world: World) -> Mapping[str, str]:
        if actor in self.fixed:
            return self.fixed[actor]
        if actor in self.services:
            tokens, audience = self.services[actor]
            return _bearer(tokens.issue(audience))
        if actor is Actor.CUSTOMER:
            return self.catalog.bearer(Role.CUSTOMER, world.customer)
        if actor is Actor.SELLER or row.acts_on_own(actor):
            return self.catalog.bearer(_ROLES[actor], world.merchant)
        return self.catalog.bearer(_ROLES[actor], self.users.get(actor))


_ROLES: Final = {
    Actor.GUEST: Role.GUEST,
    Actor.OTHER_CUSTOMER: Role.CUSTOMER,
    Actor.SELLER: Role.SELLER,
    Actor.OTHER_SELLER: Role.SELLER,
    Actor.STORELESS: Role.SELLER,
    Actor.PENDING: Role.CUSTOMER,
    Actor.SUSPENDED: Role.SELLER,
    Actor.ADMIN: Role.ADMIN,
}


async def new_cast(catalog: Catalog) -> Cast:
    stores = {
        Actor.OTHER_SELLER: SellerStatus.ACTIVE,
        Actor.PENDING: SellerStatus.PENDING,
        Actor.SUSPENDED: SellerStatus.SUSPENDED,
    }
    users = {actor: (await catalog.seller(status))[1] for actor, status in stores.items()}
    key = SigningKey.from_file(catalog.settings.service_token_key_file)
    return Cast(catalog, users, _fixed(catalog, key), _services(key))


def _services(key: SigningKey) -> dict[Actor, tuple[ServiceTokens, str]]:
    orders, users = ServiceTokens(key, "order-service"), ServiceTokens(key, "user-service")
    return {
        Actor.SERVICE: (orders, "catalog-service"),
        Actor.USER_SERVICE: (users, "catalog-service"),
        Actor.FOREIGN_SERVICE: (orders, "user-service"),
    }


def _fixed(catalog: Catalog, key: SigningKey) -> dict[Actor, dict[str, str]]:
    settings = catalog.settings
    forger = TokenSigner(new_key(), issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    tokens = {
        Actor.FORGED: forger.access(new_id(), Role.ADMIN, str(new_id())),
        Actor.EXPIRED: catalog.signer.access(new_id(), Role.ADMIN, str(new_id()), lifetime_s=-60),
        Actor.EXPIRED_SERVICE: _expired_service(key),
    }
    return {Actor.ANONYMOUS: {}} | {actor: _bearer(token) for actor, token in tokens.items()}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _expired_service(key: SigningKey) -> str:
    issued_at = int(time.time()) - 600
    names = {"iss": "order-service", "sub": "order-service", "aud": "catalog-service"}
    times = {"iat": issued_at, "exp": issued_at + 60, "jti": "1"}
    return key.sign(names | times, "service+jwt")
