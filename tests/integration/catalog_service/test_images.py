"""Pictures from the presigned form to the address a browser reads, on a real bucket."""

import asyncio
import io
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
import sqlalchemy as sa
from PIL import Image

from catalog_service.clients.pictures import ImageInvalid, ImagesBusy, Picture, Redrawer
from catalog_service.clients.storage import ImageStore
from catalog_service.queries import images as queries
from catalog_service.services.images import ImageSweeper
from common_lib.auth import Role
from common_lib.clock import now
from common_lib.database import WriteSession
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog

pytestmark = pytest.mark.enable_socket

PNG, JPEG = "image/png", "image/jpeg"
NOBODY = "http://127.0.0.1:9"  # a port where nothing answers


def png(size: tuple[int, int] = (30, 20), colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Merchant:
    """A store with one product, and what its owner does about pictures."""

    catalog: Catalog
    product_id: UUID
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return f"/api/products/{self.product_id}/images"

    @property
    def store(self) -> ImageStore:
        return self.catalog.deps.images.store

    async def presign(self, content_type: str = PNG, size: int = 100_000) -> httpx2.Response:
        body = {"contentType": content_type, "sizeBytes": size}
        return await self.catalog.client.post(
            f"{self.path}/presign", json=body, headers=self.headers
        )

    async def upload(self, data: bytes, content_type: str = PNG) -> str:
        """Post a file as a browser does; return its key."""
        form = (await self.presign(content_type)).json()
        posted = await post_form(form, data)
        assert posted.status_code == 204, posted.text
        return str(form["key"])

    async def attach(self, **body: Any) -> httpx2.Response:
        return await self.catalog.client.post(self.path, json=body, headers=self.headers)

    async def attached(self, **body: Any) -> dict[str, Any]:
        answer = await self.attach(key=await self.upload(png()), **body)
        assert answer.status_code == 201, answer.text
        image: dict[str, Any] = answer.json()
        return image

    async def remove(self, image_id: str, **headers: str) -> httpx2.Response:
        return await self.catalog.client.delete(
            f"{self.path}/{image_id}", headers=self.headers | headers
        )

    async def page(self) -> dict[str, Any]:
        answer = await self.catalog.client.get(f"/api/products/{self.product_id}")
        product: dict[str, Any] = answer.json()
        return product

    async def shown(self) -> list[str]:
        return [image["altText"] for image in (await self.page())["images"]]


async def post_form(form: dict[str, Any], data: bytes, **changed: str) -> httpx2.Response:
    fields = form["fields"] | {name.replace("_", "-"): value for name, value in changed.items()}
    async with httpx2.AsyncClient(timeout=30) as browser:
        return await browser.post(
            form["uploadUrl"], data=fields, files={"file": ("photo", data, "image/png")}
        )


async def get(url: str) -> httpx2.Response:
    """Read an address without any credentials."""
    async with httpx2.AsyncClient(timeout=30) as browser:
        return await browser.get(url)


async def new_merchant(catalog: Catalog) -> Merchant:
    seller_id, user_id = await catalog.seller()
    product_id = await catalog.product_of(await catalog.variant(5, seller_id=seller_id))
    return Merchant(catalog, product_id, catalog.bearer(Role.SELLER, user_id))


@pytest.fixture
async def merchant(catalog: Catalog) -> Merchant:
    return await new_merchant(catalog)


async def test_a_picture_goes_from_the_form_to_its_public_address(merchant: Merchant) -> None:
    before = await merchant.page()

    image = await merchant.attached(altText="Front")

    seen = await get(image["url"])
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/png")
    assert "immutable" in seen.headers["cache-control"]
    assert Image.open(io.BytesIO(seen.content)).size == (30, 20)
    page = await merchant.page()
    assert page["images"] == [
        {key: image[key] for key in ("id", "url", "altText", "width", "height")}
    ]
    assert (image["width"], image["height"], image["altText"]) == (30, 20, "Front")
    assert page["version"] == before["version"] + 1
    assert await merchant.catalog.events(merchant.product_id) == ["PRODUCT_UPDATED"]


async def test_the_upload_is_deleted_once_it_is_attached(merchant: Merchant) -> None:
    key = await merchant.upload(png())
    assert (await merchant.attach(key=key)).status_code == 201

    await sweep(merchant.catalog)

    assert await merchant.store.fetch(key, max_bytes=10_000) is None


async def test_an_upload_may_be_named_by_its_own_address(merchant: Merchant) -> None:
    key = await merchant.upload(png())
    answer = await merchant.attach(url=f"{merchant.store.public_url}/{key}")
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("data", "changed"),
    [
        (b"x" * 1001, {}),
        (b"", {}),
        (b"x", {"Content_Type": "text/html"}),
        (b"x", {"key": "uploads/elsewhere"}),
        (b"x", {"key": "products/elsewhere"}),
    ],
    ids=["too-large", "empty", "other-type", "other-key", "public-key"],
)
async def test_the_bucket_itself_refuses_what_was_not_signed(
    merchant: Merchant, data: bytes, changed: dict[str, str]
) -> None:
    form = (await merchant.presign(size=1000)).json()
    assert (await post_form(form, data, **changed)).status_code in {400, 403}
    assert await merchant.store.fetch(form["key"], max_bytes=10_000) is None


@pytest.mark.parametrize(
    "body",
    [
        {"contentType": "image/svg+xml", "sizeBytes": 10},
        {"contentType": "image/gif", "sizeBytes": 10},
        {"contentType": "IMAGE/PNG", "sizeBytes": 10},
        {"contentType": "image/png\r\nx: y", "sizeBytes": 10},
        {"contentType": None, "sizeBytes": 10},
        {"contentType": PNG},
        {"contentType": PNG, "sizeBytes": 0},
        {"contentType": PNG, "sizeBytes": -1},
        {"contentType": PNG, "sizeBytes": 2**31},
        {"contentType": PNG, "sizeBytes": 1e400},
        {"contentType": PNG, "sizeBytes": "10"},
        {"contentType": PNG, "sizeBytes": 10.0},
        {"contentType": PNG, "sizeBytes": True},
        {"contentType": PNG, "sizeBytes": 10, "key": "products/mine"},
        [],
    ],
)
async def test_a_form_for_something_else_is_refused(merchant: Merchant, body: Any) -> None:
    path = f"{merchant.path}/presign"
    text = str(body).replace("'", '"').replace("None", "null").replace("True", "true")
    text = text.replace("inf", "1e400").replace("\r\n", "\\r\\n")
    answer = await merchant.catalog.client.post(
        path, content=text, headers=merchant.headers | {"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_a_form_for_too_many_bytes_is_refused(merchant: Merchant) -> None:
    most = merchant.catalog.settings.image_max_bytes
    assert (await merchant.presign(size=most)).status_code == 200
    refused = await merchant.presign(size=most + 1)
    assert (refused.status_code, refused.json()["code"]) == (422, "image_too_large")


REFUSED = [
    "http://example.com/a.png",
    "https://example.com/a.png",
    "http://localhost/a.png",
    "http://localhost:4566/shop-images/{key}",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:127.0.0.1]/a.png",
    "http://[::1]/a.png",
    "http://2130706433/a.png",
    "http://0x7f000001/a.png",
    "http://0177.0.0.1/a.png",
    "http://127.1/a.png",
    "http://127.0.0.1.nip.io/a.png",
    "file:///etc/passwd",
    "data:image/png;base64,iVBORw0KGgo=",
    "javascript:alert(1)",
    "//example.com/a.png",
    "",
    "{key}",
    "{base}",
    "{base}/",
    "{base}/{key}?x=1",
    "{base}/{key}#x",
    "{base}/{key}/",
    "{base}/{key}\n",
    " {base}/{key}",
    "{base}//{key}",
    "{base}/./{key}",
    "{base}/x/../{key}",
    "{base}/%75ploads/{rest}",
    "{base}/products/{rest}.png",
    "{other_bucket}/{key}",
    "{user_at}/{key}",
    "{upper}/{key}",
    "{base}.example.com/{key}",
]


@pytest.mark.parametrize("url", REFUSED)
async def test_any_other_address_is_refused_and_never_asked(merchant: Merchant, url: str) -> None:
    key = await merchant.upload(png())
    base = merchant.store.public_url
    given = url.format(
        key=key,
        rest=key.removeprefix("uploads/"),
        base=base,
        other_bucket=base.replace("shop-images", "shop-secrets"),
        user_at=base.replace("http://", "http://shop@"),
        upper=base.replace("http://", "HTTP://"),
    )

    answer = await merchant.attach(url=given)

    assert (answer.status_code, answer.json()["code"]) == (422, "image_url_refused")
    assert not given or given not in answer.text
    assert await merchant.shown() == []


async def test_an_address_given_is_not_connected_to(merchant: Merchant) -> None:
    asked = asyncio.Event()

    async def on_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await merchant.attach(url=f"http://127.0.0.1:{port}/shop-images/a.png")
    assert answer.status_code == 422
    assert not asked.is_set()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key": None, "url": None},
        {"key": "uploads/a", "url": "http://example.com"},
        {"key": 5},
        {"url": ["http://example.com"]},
        {"key": "uploads/a", "altText": "x" * 256},
        {"key": "uploads/a", "altText": "a\0b"},
        {"key": "uploads/a", "position": -1},
        {"key": "uploads/a", "position": 2**31},
        {"key": "uploads/a", "position": "0"},
        {"key": "uploads/a", "position": True},
        {"key": "uploads/a", "width": 10},
        {"key": "uploads/a", "storageKey": "products/x"},
    ],
)
async def test_a_malformed_attachment_is_refused(merchant: Merchant, body: Any) -> None:
    answer = await merchant.attach(**body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_a_key_without_an_upload_is_refused(merchant: Merchant) -> None:
    somebody = await new_merchant(merchant.catalog)
    theirs = await somebody.upload(png())
    for key in (
        f"uploads/{merchant.product_id}/{new_id().hex}",
        theirs,
        theirs.upper(),
        f"uploads/{merchant.product_id}/../{somebody.product_id}/{theirs.rpartition('/')[2]}",
        f"products/{merchant.product_id}/{new_id().hex}.png",
        "",
        "x" * 5000,
        "uploads/ü\u202e",
    ):
        answer = await merchant.attach(key=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "image_not_uploaded"), key


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (png()[:60], PNG),
        (png(), JPEG),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", PNG),
        (b"<html><script>alert(1)</script>", JPEG),
    ],
    ids=["truncated", "other-type", "svg", "html"],
)
async def test_an_upload_that_is_no_picture_is_refused(
    merchant: Merchant, data: bytes, declared: str
) -> None:
    answer = await merchant.attach(key=await merchant.upload(data, declared))
    assert (answer.status_code, answer.json()["code"]) == (422, "image_invalid")
    assert await merchant.shown() == []


async def test_a_picture_of_too_many_pixels_is_refused(open_catalog: OpenCatalog) -> None:
    merchant = await new_merchant(await open_catalog(image_max_pixels=1_000_000))
    answer = await merchant.attach(key=await merchant.upload(png((1001, 1000))))
    assert (answer.status_code, answer.json()["code"]) == (422, "image_too_large")


async def test_an_object_of_too_many_bytes_is_not_read(open_catalog: OpenCatalog) -> None:
    merchant = await new_merchant(await open_catalog(image_max_bytes=50))
    form = (await merchant.presign(size=50)).json()
    key = form["key"]
    await put(merchant.store, key, png())
    answer = await merchant.attach(key=key)
    assert (answer.status_code, answer.json()["code"]) == (422, "image_too_large")


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


async def at_once(*calls: Any) -> list[httpx2.Response]:
    barrier = asyncio.Barrier(len(calls))

    async def run(call: Any) -> httpx2.Response:
        await barrier.wait()
        answer: httpx2.Response = await call
        return answer

    return list(await asyncio.gather(*(run(call) for call in calls)))


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


async def test_when_all_places_are_taken_the_next_is_turned_away() -> None:
    redrawer = Redrawer(max_pixels=100, at_once=1, waiting=1, wait_s=0.01)
    async with redrawer.turn():
        with pytest.raises(ImagesBusy):
            async with redrawer.turn():
                raise AssertionError("there was no place")
    async with redrawer.turn():
        pass


async def test_a_decoder_that_takes_too_long_is_ended() -> None:
    redrawer = Redrawer(max_pixels=10**6, at_once=1, timeout_s=0.001)
    with pytest.raises(ImageInvalid):
        await redrawer.redraw(png(), PNG)


async def put(store: ImageStore, key: str, data: bytes) -> None:
    await store.store(key, Picture(PNG, 30, 20, data))


async def sweep(catalog: Catalog) -> None:
    await ImageSweeper(catalog.database, catalog.deps.images.store).sweep()


async def removals(catalog: Catalog, key: str) -> int:
    query = sa.text("SELECT COUNT(*) FROM image_removals WHERE storage_key = :key")
    return int((await catalog.rows(query, key=key))[0][0])
