"""What is looked at before a picture is shown: its address, its upload and its pixels."""

import asyncio
from typing import Any

import pytest

from catalog_service.clients.pictures import ImageInvalid, ImagesBusy, Redrawer
from common_lib.ids import new_id
from tests.integration.catalog_service.conftest import Catalog, OpenCatalog
from tests.integration.catalog_service.pictures import JPEG, PNG, Merchant, new_merchant, png, put
from tests.serving import listening

pytestmark = pytest.mark.enable_socket

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


@pytest.fixture
async def merchant(catalog: Catalog) -> Merchant:
    return await new_merchant(catalog)


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

    async with listening(on_connection) as port:
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
