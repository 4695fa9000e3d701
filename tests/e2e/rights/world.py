"""The things that are acted on: a customer's account, cart, order; and who comes to see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis.asyncio import Redis

from common_lib.auth import Role, ServiceTokens, Sessions, SigningKey
from shop.stack.credentials import key_file
from shop.stack.native import NativeStack
from tests.e2e.forging import Mint
from tests.e2e.rights.callers import SERVICES, Actor
from tests.shopper import ADDRESS, DEV_PASSWORD, Shopper, line, new_product

PASSWORD = "password123"


@dataclass(frozen=True)
class World:
    """A customer with one of everything. All of their texts hold `secret`, and no others'."""

    owner: Shopper
    ids: Mapping[str, str]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def secret(self) -> str:
        return self.ids["secret"]

    @property
    def named(self) -> Mapping[str, Any]:
        return {**self.ids, **self.given}

    def traces(self) -> set[str]:
        """Return what a refusal must not show."""
        return {*self.ids.values()}


@dataclass
class Stage:
    """The running shop, those who act in it, and what all worlds need."""

    stack: NativeStack
    http: httpx2.AsyncClient
    people: Mapping[Actor, tuple[str, Role]]
    variant_id: str
    product_id: str
    tokens: Mapping[Actor, str]
    mint: Mint
    services: SigningKey
    sessions: Sessions

    async def bearer(self, actor: Actor, world: World, service: str) -> dict[str, str]:
        if actor is Actor.ANONYMOUS:
            return {}
        return {"Authorization": f"Bearer {await self._token(actor, world, service)}"}

    async def _token(self, actor: Actor, world: World, service: str) -> str:
        known = {Actor.OWNER: world.owner.token, Actor.REFRESH: world.owner.refresh_token}
        if actor is Actor.ENDED:
            return await self._ended(world)
        if actor in SERVICES:
            return self._of_service(actor, f"{service}-service")
        return {**self.tokens, **known}.get(actor) or self._minted(actor)

    def _of_service(self, actor: Actor, audience: str) -> str:
        if actor is Actor.EXPIRED_SERVICE:
            return self._expired_service(audience)
        if actor is Actor.FOREIGN_SERVICE:
            return ServiceTokens(self.services, "catalog-service").issue("nobody-service")
        return ServiceTokens(self.services, f"{actor.name.lower()}-service").issue(audience)

    def _minted(self, actor: Actor) -> str:
        """Return a token of a session of its own: what ends it ends nobody else's."""
        user_id, role = self.people.get(actor) or (str(uuid4()), Role.GUEST)
        return self.mint.signed(None, self.mint.claims(sub=user_id, role=role))

    async def _ended(self, world: World) -> str:
        claims = self.mint.claims(sub=world.owner.user_id)
        await self.sessions.revoke(claims["jti"])
        return self.mint.signed(None, claims)

    def _expired_service(self, audience: str) -> str:
        names = {"iss": "order-service", "sub": "order-service", "aud": audience}
        times = {
            name: self.mint.claims()["iat"] - ago for name, ago in (("iat", 600), ("exp", 540))
        }
        return self.services.sign({**names, **times, "jti": "1"}, "service+jwt")


async def new_stage(stack: NativeStack, http: httpx2.AsyncClient, redis: Redis) -> Stage:
    mint = Mint(SigningKey.from_file(key_file(stack.layout.keys, "jwt")), uuid4())
    admin = await Shopper(http).login("admin@shop.example", DEV_PASSWORD)
    seller = await Shopper(http).login("seller@shop.example", DEV_PASSWORD)
    other_seller = await _new_seller(http, admin)
    other = await (await Shopper(http).register()).login()
    product = await new_product(seller, quantity=1_000_000)
    sessions = Sessions(redis)
    seconds = mint.claims()["iat"]
    tokens = {
        Actor.FORGED: Mint(_own_key(), UUID(admin.user_id)).signed(
            mint.header(), mint.claims(role="ADMIN")
        ),
        Actor.EXPIRED: mint.signed(
            None, mint.claims(role="ADMIN", iat=seconds - 60, exp=seconds - 31)
        ),
    }
    people = {
        Actor.DEMOTED: (await _demoted(sessions), Role.ADMIN),
        Actor.OTHER_CUSTOMER: (other.user_id, Role.CUSTOMER),
        Actor.SELLER: (seller.user_id, Role.SELLER),
        Actor.OTHER_SELLER: (other_seller.user_id, Role.SELLER),
        Actor.ADMIN: (admin.user_id, Role.ADMIN),
    }
    return Stage(
        stack,
        http,
        people,
        product["variants"][0]["id"],
        product["id"],
        tokens,
        mint,
        SigningKey.from_file(key_file(stack.layout.keys, "service")),
        sessions,
    )


def _own_key() -> SigningKey:
    key = ec.generate_private_key(ec.SECP256R1())
    return SigningKey(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


async def _demoted(sessions: Sessions) -> str:
    """Return whose tokens, signed before, still say that they are an administrator's."""
    user_id = uuid4()
    await sessions.override_role(user_id, Role.CUSTOMER)
    return str(user_id)


async def _new_seller(http: httpx2.AsyncClient, admin: Shopper) -> Shopper:
    seller = await (await Shopper(http).register()).login()
    store = await seller.request("POST", "/api/sellers", json={"storeName": "Another store"})
    path = f"/api/sellers/{store.json()['id']}/status"
    assert (await admin.request("PATCH", path, json={"status": "ACTIVE"})).status_code == 200
    return await seller.login()


# Worlds


async def account(stage: Stage) -> World:
    """A customer with one address, and another session to end."""
    secret = f"zq{uuid4().hex[:12]}"
    owner = await Shopper(stage.http).register(fullName=f"Asha {secret}")
    elsewhere = await Shopper(stage.http).login(owner.email)
    await owner.login()
    path = f"/api/users/{owner.user_id}/addresses"
    added = await owner.request("POST", path, json=ADDRESS | {"city": f"City {secret}"})
    assert added.status_code == 201, added.text
    devices = (await owner.request("GET", "/api/auth/sessions")).json()["items"]
    other = next(each["id"] for each in devices if not each["isCurrent"])
    ids = {**_person(owner, secret), "address_id": added.json()["id"]}
    return World(owner, {**ids, "session_id": other}, {"refresh": elsewhere.refresh_token})


async def shopping(stage: Stage) -> World:
    """A customer with something in the cart."""
    secret = f"zq{uuid4().hex[:12]}"
    owner = await (await Shopper(stage.http).register(fullName=f"Asha {secret}")).login()
    added = await owner.add_to_cart(stage.variant_id, 2)
    assert added.status_code == 200, added.text
    return World(owner, _person(owner, secret), _variant(stage))


async def sold(stage: Stage) -> World:
    """A customer with an order, and the store whose goods it holds."""
    world = await _ordered(stage, "COD")
    seller_id = (await stage.http.get(f"/api/products/{stage.product_id}")).json()["sellerId"]
    return replace(world, given={**world.given, "seller_id": seller_id})


async def discounting(stage: Stage) -> World:
    """A customer, and a coupon that nobody has used."""
    world = await account(stage)
    moment = datetime.now(UTC)
    coupon = {
        "code": f"C{uuid4().hex[:12]}",
        "type": "PERCENTAGE",
        "percentBasisPoints": 1000,
        "validFrom": moment.isoformat(),
        "validUntil": (moment + timedelta(days=1)).isoformat(),
    }
    headers = await stage.bearer(Actor.ADMIN, world, "order")
    made = await stage.http.post("/api/coupons", json=coupon, headers=headers)
    assert made.status_code == 201, made.text
    return replace(world, given={"coupon_id": made.json()["id"], "coupon": coupon})


async def ordered(stage: Stage) -> World:
    """A customer with an order to be paid on delivery."""
    return await _ordered(stage, "COD")


async def unpaid(stage: Stage) -> World:
    """A customer with an order that waits for its payment."""
    return await _ordered(stage, "UPI")


async def _ordered(stage: Stage, method: str) -> World:
    secret = f"zq{uuid4().hex[:12]}"
    owner = await (await Shopper(stage.http).register(fullName=f"Asha {secret}")).login()
    placed = await owner.place([line(stage.variant_id)], paymentMethod=method, notes=secret)
    assert placed.status_code == 201, placed.text
    order = placed.json()
    ids = {**_person(owner, secret), "order_id": order["id"]}
    payments = (await owner.request("GET", f"/api/orders/{order['id']}/payments")).json()["items"]
    ids["payment_id"] = payments[0]["id"] if payments else str(uuid4())
    return World(owner, ids, _variant(stage))


def _person(owner: Shopper, secret: str) -> dict[str, str]:
    return {"secret": secret, "user_id": owner.user_id, "email": owner.email}


def _variant(stage: Stage) -> dict[str, Any]:
    return {"variant_id": stage.variant_id, "provider": "sandbox"}
