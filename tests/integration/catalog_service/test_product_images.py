"""The pictures of a product: their number, their order, and what goes when they go."""

import pytest
import sqlalchemy as sa

from catalog_service.queries import images as queries
from catalog_service.services.images import ImageSweeper
from common_lib.auth import Role
from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.integration.catalog_service.pictures import (
    NOBODY,
    PNG,
    Merchant,
    at_once,
    get,
    new_merchant,
    png,
    put,
    removals,
    sweep,
)

pytestmark = pytest.mark.enable_socket


@pytest.fixture
async def merchant(catalog: Catalog) -> Merchant:
    return await new_merchant(catalog)


async def test_the_eleventh_picture_is_refused(open_catalog: OpenCatalog) -> None:
    merchant = await new_merchant(await open_catalog(images_per_product=2))
    spare = await merchant.upload(png())
    first = await merchant.attached()
    await merchant.attached()

    for refused in (await merchant.attach(key=spare), await merchant.presign()):
        assert (refused.status_code, refused.json()["code"]) == (409, "too_many_images")

    assert (await merchant.remove(first["id"])).status_code == 204
    assert (await merchant.attach(key=spare)).status_code == 201


async def test_attaching_twice_is_attaching_once(merchant: Merchant) -> None:
    key = await merchant.upload(png())
    first, again = await merchant.attach(key=key), await merchant.attach(key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len((await merchant.page())["images"]) == 1


async def test_the_same_upload_attached_at_once_is_one_picture(merchant: Merchant) -> None:
    key = await merchant.upload(png())
    answers = await at_once(*(merchant.attach(key=key) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await merchant.page())["images"]) == 1
    assert await merchant.catalog.events(merchant.product_id) == ["PRODUCT_UPDATED"]


async def test_pictures_attached_at_once_get_places_of_their_own(merchant: Merchant) -> None:
    keys = [await merchant.upload(png()) for _ in range(5)]
    answers = await at_once(*(merchant.attach(key=key) for key in keys))
    assert [answer.status_code for answer in answers] == [201] * 5
    assert sorted(answer.json()["position"] for answer in answers) == [0, 1, 2, 3, 4]


async def test_the_last_place_is_taken_once(open_catalog: OpenCatalog) -> None:
    merchant = await new_merchant(await open_catalog(images_per_product=1, image_redraws_at_once=2))
    keys = [await merchant.upload(png()) for _ in range(2)]
    answers = await at_once(*(merchant.attach(key=key) for key in keys))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len((await merchant.page())["images"]) == 1


async def test_a_picture_goes_where_it_is_put(merchant: Merchant) -> None:
    for name, position in (("b", None), ("d", 99), ("a", 0), ("c", 2)):
        place = {} if position is None else {"position": position}
        await merchant.attached(altText=name, **place)
    assert await merchant.shown() == ["a", "b", "c", "d"]


async def test_a_picture_taken_off_leaves_the_others_in_order(merchant: Merchant) -> None:
    images = [await merchant.attached(altText=name) for name in "abc"]

    removed = await merchant.remove(images[1]["id"])

    assert removed.status_code == 204
    assert await merchant.shown() == ["a", "c"]
    assert removed.headers["etag"] == f'"{(await merchant.page())["version"]}"'
    assert (await merchant.remove(images[1]["id"])).status_code == 404
    await merchant.attached(altText="d", position=1)
    assert await merchant.shown() == ["a", "d", "c"]


async def test_the_object_of_a_picture_taken_off_goes_with_the_next_sweep(
    merchant: Merchant,
) -> None:
    kept, removed = await merchant.attached(), await merchant.attached()
    assert (await merchant.remove(removed["id"])).status_code == 204

    await sweep(merchant.catalog)

    assert (await get(removed["url"])).status_code == 404
    assert (await get(kept["url"])).status_code == 200


async def test_a_picture_of_the_seed_has_no_object_to_delete(merchant: Merchant) -> None:
    image_id = new_id()
    insert = sa.text(
        "INSERT INTO product_images (id, product_id, url, position, created_at, updated_at)"
        " VALUES (:id, :product, 'https://cdn.example/a.jpg', 0, NOW(6), NOW(6))"
    )

    async def work(session: WriteSession) -> None:
        await session.execute(insert, {"id": image_id.bytes, "product": merchant.product_id.bytes})

    await merchant.catalog.database.transact(work)
    (image,) = (await merchant.page())["images"]
    assert (image["url"], image["width"]) == ("https://cdn.example/a.jpg", None)
    assert (await merchant.remove(str(image_id))).status_code == 204
    assert await merchant.shown() == []


async def test_what_was_stored_and_never_shown_is_deleted(merchant: Merchant) -> None:
    """As if the process had died between the object and its row."""
    key = f"products/{merchant.product_id}/{new_id().hex}.png"

    async def work(session: WriteSession) -> None:
        await queries.add_removal(session, key, now())

    await merchant.catalog.database.transact(work)
    await put(merchant.store, key, png())

    await sweep(merchant.catalog)

    assert await merchant.store.fetch(key, max_bytes=10_000) is None
    assert await removals(merchant.catalog, key) == 0


async def test_a_sweep_without_the_bucket_forgets_nothing(
    merchant: Merchant, open_catalog: OpenCatalog
) -> None:
    image = await merchant.attached()
    await merchant.remove(image["id"])
    cut_off = await open_catalog(aws_endpoint_url=NOBODY)
    key = image["url"].removeprefix(f"{merchant.store.public_url}/")

    sweeper = ImageSweeper(cut_off.database, cut_off.deps.images.store)
    with pytest.raises(Exception, match="does not answer"):
        await sweeper.sweep()

    assert await removals(merchant.catalog, key) == 1


async def test_without_the_bucket_the_answer_is_503_and_nothing_is_lost(
    merchant: Merchant, open_catalog: OpenCatalog
) -> None:
    key = await merchant.upload(png())
    catalog = await open_catalog(aws_endpoint_url=NOBODY)
    cut_off = Merchant(catalog, merchant.product_id, catalog.bearer(Role.ADMIN))

    assert (await cut_off.presign()).status_code == 200  # signed without asking anybody
    answer = await cut_off.attach(key=key)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await merchant.attach(key=key)).status_code == 201


async def test_if_match_guards_the_pictures(merchant: Merchant) -> None:
    key, version = await merchant.upload(png()), (await merchant.page())["version"]
    client = merchant.catalog.client
    stale = merchant.headers | {"If-Match": f'"{version + 1}"'}
    current = merchant.headers | {"If-Match": f'"{version}"'}
    assert (await client.post(merchant.path, json={"key": key}, headers=stale)).status_code == 412
    added = await client.post(merchant.path, json={"key": key}, headers=current)
    assert added.status_code == 201
    image_id = added.json()["id"]
    assert (await merchant.remove(image_id, **{"If-Match": f'"{version}"'})).status_code == 412
    assert (
        await merchant.remove(image_id, **{"If-Match": added.headers["etag"]})
    ).status_code == 204


async def test_only_the_owner_and_administrators_touch_pictures(merchant: Merchant) -> None:
    catalog = merchant.catalog
    image, key = await merchant.attached(), await merchant.upload(png())
    _, other_seller = await catalog.seller()
    callers = {
        401: {},
        403: catalog.bearer(Role.CUSTOMER),
        404: catalog.bearer(Role.SELLER, other_seller),
    }
    for status, headers in callers.items():
        caller = Merchant(catalog, merchant.product_id, headers)
        assert (await caller.presign()).status_code == status
        assert (await caller.attach(key=key)).status_code == status
        assert (await caller.remove(image["id"])).status_code == status
    admin = Merchant(catalog, merchant.product_id, catalog.bearer(Role.ADMIN))
    assert (await admin.attach(key=key)).status_code == 201
    assert (await admin.remove(image["id"])).status_code == 204


@pytest.mark.parametrize("product", ["0", "not-a-uuid", "018f0000-0000-7000-8000-000000000000"])
async def test_no_such_product_or_picture_is_404(merchant: Merchant, product: str) -> None:
    client, path = merchant.catalog.client, f"/api/products/{product}/images"
    body = {"contentType": PNG, "sizeBytes": 10}
    for answer in (
        await client.post(f"{path}/presign", json=body, headers=merchant.headers),
        await client.post(path, json={"key": "uploads/a"}, headers=merchant.headers),
        await client.delete(f"{path}/{new_id()}", headers=merchant.headers),
        await merchant.remove(product),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_another_products_picture_is_not_removed(merchant: Merchant) -> None:
    theirs = await (await new_merchant(merchant.catalog)).attached()
    assert (await merchant.remove(theirs["id"])).status_code == 404
    assert (await get(theirs["url"])).status_code == 200
