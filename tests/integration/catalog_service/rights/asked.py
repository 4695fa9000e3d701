"""Paths, states and good bodies that the rows of the table share."""

from typing import Any, Final

from catalog_service.models import ProductStatus, ReviewStatus, SellerStatus
from common_lib.auth import Role
from common_lib.ids import new_id
from tests.integration.catalog_service.csv_files import row as csv_row
from tests.integration.catalog_service.csv_files import written
from tests.integration.catalog_service.pictures import Merchant, png
from tests.integration.catalog_service.rights.callers import PEOPLE, Actor, Answers, readers
from tests.integration.catalog_service.rights.worlds import Scene, World
from tests.rights.answers import GONE, SEES, Refused

DRAFT: Final = Scene(product=ProductStatus.DRAFT)
UNREVIEWED: Final = Scene(review=None)
WAITING: Final = Scene(review=ReviewStatus.PENDING)
CLOSED: Final = Scene(store=SellerStatus.PENDING, product=ProductStatus.DRAFT)
EXISTS: Final = Refused(409, "seller_exists")
NO_PURCHASE: Final = Refused(403, "purchase_required")

PRODUCT: Final = "/api/products/{product_id}"
VARIANT: Final = PRODUCT + "/variants/{variant_id}"
KEEPERS: Final = (Actor.SELLER, Actor.SUSPENDED, Actor.ADMIN)
SPARE: Final = {"category_id": "spare_id"}


def hidden() -> Answers:
    """P of what is not on sale: there is no such thing."""
    return readers() | dict.fromkeys((Actor.ANONYMOUS, *PEOPLE), GONE)


def managed() -> Answers:
    """P of what is not on sale: shown to those who manage it."""
    return hidden() | dict.fromkeys(KEEPERS, SEES)


def new_product(world: World) -> Any:
    return {
        "name": f"New {world.secret}",
        "description": "Cotton",
        "categoryId": str(world.ids["category_id"]),
        "variants": [new_variant(world)],
    }


def new_variant(world: World) -> Any:
    price = {"amount": 100, "currency": "INR"}
    return {"sku": f"S-{new_id().hex}", "name": world.secret, "price": price, "quantity": 1}


def edit(world: World) -> Any:
    name = f"Edited {world.secret}"
    return {"name": name, "description": "", "categoryId": str(world.ids["category_id"])}


def line(world: World) -> Any:
    return {"variantId": str(world.ids["variant_id"]), "quantity": 1}


def reservation(world: World) -> Any:
    ids = {"reservationId": str(new_id()), "orderId": str(new_id())}
    return {**ids, "fingerprint": "f", "items": [line(world)]}


async def reserved(world: World) -> str:
    command = await world.catalog.reserve((world.ids["variant_id"], 1))
    return str(command.reservation_id)


async def uploaded(world: World) -> str:
    admin = world.catalog.bearer(Role.ADMIN)
    return await Merchant(world.catalog, world.ids["product_id"], admin).upload(png((2, 2)))


def review(world: World) -> Any:
    return {"rating": 5, "body": f"New {world.secret}"}


def file(world: World) -> Any:
    return written(csv_row(product_name=world.secret))


SHELF: Final = "/api/inventory/{variant_id}"
