"""Pictures from the presigned form to the address a browser reads, on a real bucket."""

import io
from typing import Any

import pytest
from PIL import Image

from tests.integration.catalog_service.conftest import Catalog
from tests.integration.catalog_service.pictures import (
    PNG,
    Merchant,
    get,
    new_merchant,
    png,
    post_form,
    sweep,
)

pytestmark = pytest.mark.enable_socket


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
