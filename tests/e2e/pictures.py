"""Pictures of products, brought to the shop as a browser brings them."""

import io

import httpx2
from PIL import Image

from tests.shopper import Shopper

PNG = "image/png"


async def with_picture(seller: Shopper, product_id: str) -> str:
    """Upload a picture of a product, attach it, and return its public address."""
    out = io.BytesIO()
    Image.new("RGB", (400, 300), "rebeccapurple").save(out, "PNG")
    images = f"/api/products/{product_id}/images"
    wanted = {"contentType": PNG, "sizeBytes": len(out.getvalue())}
    form = (await seller.request("POST", f"{images}/presign", json=wanted)).json()
    async with httpx2.AsyncClient(timeout=30) as browser:
        files = {"file": ("kettle.png", out.getvalue(), PNG)}
        posted = await browser.post(form["uploadUrl"], data=form["fields"], files=files)
    assert posted.is_success, posted.text
    body = {"key": form["key"], "altText": "The kettle"}
    attached = await seller.request("POST", images, json=body)
    assert attached.status_code in (200, 201), attached.text
    url: str = attached.json()["url"]
    return url
