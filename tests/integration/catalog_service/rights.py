"""Who calls, on whose things, and what each is answered: the vocabulary of the rights' table."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto
from typing import Any, Final
from uuid import UUID

import httpx2

from catalog_service.models import (
    Category,
    Inventory,
    Product,
    ProductImage,
    ProductImport,
    ProductStatus,
    ProductVariant,
    Purchase,
    Review,
    ReviewStatus,
    Seller,
    SellerStatus,
    StockMovement,
    WishlistItem,
)
from catalog_service.models.inventory import MovementKind
from common_lib.auth import Role, ServiceTokens, SigningKey, TokenSigner
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, new_key


class Actor(StrEnum):
    """Who calls. The pending and the suspended owner act on what their own store has."""

    ANONYMOUS = "nobody"
    FORGED = "a token signed by somebody else"
    EXPIRED = "an expired token"
    GUEST = "a guest"
    CUSTOMER = "the customer it belongs to"
    OTHER_CUSTOMER = "another customer"
    SELLER = "the seller it belongs to"
    OTHER_SELLER = "another seller"
    STORELESS = "a seller without a store"
    PENDING = "the owner of a pending store, still a customer"
    SUSPENDED = "the owner of a suspended store"
    ADMIN = "an administrator"
    SERVICE = "a service"
    EXPIRED_SERVICE = "a service with an expired token"
    FOREIGN_SERVICE = "a service with a token for another one"


class Granted(Enum):
    """The route's own success."""

    SEES = auto()  # and the answer shows what the row says it shows
    BLIND = auto()  # and the answer shows nothing of it
    DONE = auto()  # whatever the answer shows


@dataclass(frozen=True)
class Refused:
    status: int
    code: str


Answer = Granted | Refused
Answers = Mapping[Actor, Answer]
SEES, BLIND, DONE = Granted.SEES, Granted.BLIND, Granted.DONE

NO_TOKEN: Final = Refused(401, "auth_required")
WRONG_TYPE: Final = Refused(401, "wrong_token_type")
WRONG_ROLE: Final = Refused(403, "role_not_allowed")
NO_STORE: Final = Refused(403, "seller_not_active")
GONE: Final = Refused(404, "not_found")

PEOPLE: Final = tuple(Actor)[tuple(Actor).index(Actor.GUEST) : tuple(Actor).index(Actor.SERVICE)]
SERVICES: Final = (Actor.SERVICE, Actor.EXPIRED_SERVICE, Actor.FOREIGN_SERVICE)
BAD_TOKENS: Final[Answers] = {
    Actor.FORGED: Refused(401, "invalid_token"),
    Actor.EXPIRED: Refused(401, "token_expired"),
    **dict.fromkeys(SERVICES, WRONG_TYPE),
}
STRANGERS: Final[Answers] = {Actor.ANONYMOUS: NO_TOKEN} | BAD_TOKENS
SHOPPERS: Final = (Actor.GUEST, Actor.CUSTOMER, Actor.OTHER_CUSTOMER, Actor.PENDING)


def everybody(seen: Answer = SEES) -> Answers:
    """P, and a token is not looked at."""
    return dict.fromkeys(Actor, seen)


def readers(seen: Answer = SEES) -> Answers:
    """P, and a token that is sent must be a good one."""
    return everybody(seen) | BAD_TOKENS


def merchants(others: Answer = GONE, suspended: Answer = SEES) -> Answers:
    """S,A: the own things, and an administrator anybody's."""
    return (
        STRANGERS
        | dict.fromkeys(SHOPPERS, WRONG_ROLE)
        | {Actor.SELLER: SEES, Actor.SUSPENDED: suspended, Actor.ADMIN: SEES}
        | {Actor.OTHER_SELLER: others, Actor.STORELESS: others}
    )


def owner_only(*owners: Actor) -> Answers:
    """C, or S by the user: everybody else is told that there is no such thing."""
    return (
        STRANGERS
        | dict.fromkeys(PEOPLE, GONE)
        | {Actor.GUEST: WRONG_ROLE}
        | dict.fromkeys(owners, SEES)
    )


def administrators() -> Answers:
    """A."""
    return STRANGERS | dict.fromkeys(PEOPLE, WRONG_ROLE) | {Actor.ADMIN: SEES}


def services() -> Answers:
    """I."""
    return (
        dict.fromkeys(Actor, WRONG_TYPE)
        | {Actor.ANONYMOUS: NO_TOKEN, Actor.SERVICE: SEES}
        | {Actor.EXPIRED_SERVICE: Refused(401, "token_expired")}
        | {Actor.FOREIGN_SERVICE: Refused(401, "invalid_token")}
    )


@dataclass(frozen=True)
class Scene:
    """The state of the things a row is about."""

    store: SellerStatus = SellerStatus.ACTIVE
    product: ProductStatus = ProductStatus.ACTIVE
    review: ReviewStatus | None = ReviewStatus.APPROVED

    def __str__(self) -> str:
        review = "no" if self.review is None else self.review
        return f"{self.store} store, {self.product} product, {review} review"

    def of(self, actor: Actor) -> "Scene":
        """Return the scene that an owner with a store of another state acts in."""
        if actor is Actor.PENDING:
            return replace(self, store=SellerStatus.PENDING, product=ProductStatus.DRAFT)
        if actor is Actor.SUSPENDED:
            return replace(self, store=SellerStatus.SUSPENDED, product=ProductStatus.ARCHIVED)
        return self


@dataclass(frozen=True)
class World:
    """A store with one product, and a customer who bought, reviewed and wished for it."""

    catalog: Catalog
    scene: Scene
    merchant: UUID
    customer: UUID
    ids: Mapping[str, Any]
    prepared: Any = None

    @property
    def secret(self) -> str:
        """A word that all texts of this world hold and no others."""
        return str(self.ids["secret"])

    def traces(self) -> set[str]:
        """Return what a refusal must not show."""
        return {str(value) for value in self.ids.values()}


async def build(catalog: Catalog, scene: Scene) -> World:
    names = ("store", "product", "variant", "image", "review", "category", "spare", "job")
    ids: dict[str, Any] = {f"{name}_id": new_id() for name in names}
    secret = f"zq{ids['product_id'].hex[-10:]}"
    merchant, customer = new_id(), new_id()
    ids |= {"secret": secret, "slug": f"slug-{secret}", "merchant_id": merchant}
    ids |= {"seller_id": ids["store_id"], "user_id": customer, "import_id": ids["job_id"]}
    world = World(catalog, scene, merchant, customer, ids)
    await catalog.save(*_shop(world), *_stock(world), *_of_customer(world))
    return world


def _shop(world: World) -> list[Any]:
    ids, secret = world.ids, world.secret
    return [
        Seller(
            id=ids["store_id"],
            user_id=world.merchant,
            store_name=f"Store {secret}",
            slug=f"store-{secret}",
            description=secret,
            status=world.scene.store,
        ),
        Category(id=ids["category_id"], name=f"Full {secret}", slug=f"full-{secret}"),
        Category(id=ids["spare_id"], name=f"Empty {secret}", slug=f"empty-{secret}"),
        Product(
            id=ids["product_id"],
            seller_id=ids["store_id"],
            category_id=ids["category_id"],
            name=f"Kurta {secret}",
            slug=ids["slug"],
            description=secret,
            status=world.scene.product,
            min_price_minor=100,
        ),
    ]


def _stock(world: World) -> list[Any]:
    ids, secret = world.ids, world.secret
    variant_id = ids["variant_id"]
    return [
        ProductVariant(
            id=variant_id,
            product_id=ids["product_id"],
            sku=f"SKU-{secret}",
            name="M",
            price_minor=100,
            attributes={},
        ),
        ProductImage(
            id=ids["image_id"],
            product_id=ids["product_id"],
            url=f"http://images.example/{secret}.png",
        ),
        Inventory(variant_id=variant_id, quantity=10, reorder_level=50),
        StockMovement(
            id=new_id(),
            variant_id=variant_id,
            kind=MovementKind.INITIAL,
            quantity_delta=10,
            reason=secret,
        ),
        ProductImport(
            id=ids["job_id"],
            actor_id=world.merchant,
            seller_id=ids["store_id"],
            source=b"",
            sha256=bytes(32),
            total_rows=1,
        ),
    ]


def _of_customer(world: World) -> list[Any]:
    product_id, customer = world.ids["product_id"], world.customer
    rows: list[Any] = [
        Purchase(user_id=customer, product_id=product_id, order_id=new_id(), quantity=1),
        WishlistItem(user_id=customer, product_id=product_id),
    ]
    if world.scene.review is None:
        return rows
    review = Review(
        id=world.ids["review_id"],
        product_id=product_id,
        user_id=customer,
        rating=4,
        body=f"Said {world.secret}",
        status=world.scene.review,
    )
    return [*rows, review]


Prepare = Callable[[World], Awaitable[Any]]


@dataclass(frozen=True)
class Row:
    """A route in one state of its things.

    `spec` is api.md's role column, `note` says why an answer is another than that column alone
    gives. `shows` is what an answer that SEES holds. `names` maps the path's parameters to ids of
    the world where they are called otherwise; `unknown` are statuses for parameters that may name
    nothing.
    """

    method: str
    path: str
    spec: str
    answers: Answers
    success: int = 200
    body: Callable[[World], Any] | None = None
    query: str = ""
    shows: str = "{secret}"
    scene: Scene = Scene()
    prepare: Prepare | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    is_csv: bool = False
    note: str = ""

    def __str__(self) -> str:
        state = "" if self.scene == Scene() else f" {self.scene}"
        return f"{self.method} {self.path}{self.query}{state}"

    @property
    def is_safe(self) -> bool:
        return self.method == "GET"

    @property
    def parameters(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    def ids(self, world: World) -> dict[str, Any]:
        """Return the world's ids under the names of the path and the query."""
        named = {name: world.ids[other] for name, other in self.names.items()}
        return {**world.ids, **named}

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
        """Send a good request; `changed` replaces ids, or the `content` and its `body`."""
        ids = self.ids(world) | {k: v for k, v in changed.items() if k != "body"}
        url = (self.path + self.query).format(**ids)
        body = changed.get("body", self.body(world) if self.body else None)
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

    def headers(self, row: Row, actor: Actor, world: World) -> Mapping[str, str]:
        if actor in self.fixed:
            return self.fixed[actor]
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
    return Cast(catalog, users, _fixed(catalog))


def _fixed(catalog: Catalog) -> dict[Actor, dict[str, str]]:
    settings = catalog.settings
    key = SigningKey.from_file(settings.service_token_key_file)
    forger = TokenSigner(new_key(), issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    tokens = {
        Actor.FORGED: forger.access(new_id(), Role.ADMIN, str(new_id())),
        Actor.EXPIRED: catalog.signer.access(new_id(), Role.ADMIN, str(new_id()), lifetime_s=-60),
        Actor.SERVICE: ServiceTokens(key, "order-service").issue("catalog-service"),
        Actor.EXPIRED_SERVICE: _expired_service(key),
        Actor.FOREIGN_SERVICE: ServiceTokens(key, "order-service").issue("user-service"),
    }
    bearers = {actor: {"Authorization": f"Bearer {token}"} for actor, token in tokens.items()}
    return {Actor.ANONYMOUS: {}} | bearers


def _expired_service(key: SigningKey) -> str:
    issued_at = int(time.time()) - 600
    names = {"iss": "order-service", "sub": "order-service", "aud": "catalog-service"}
    times = {"iat": issued_at, "exp": issued_at + 60, "jti": "1"}
    return key.sign(names | times, "service+jwt")
