"""A store's pictures: uploaded, attached, looked at and taken off."""

import asyncio
import io
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import sqlalchemy as sa
from PIL import Image

from catalog_service.clients.pictures import Picture
from catalog_service.clients.storage import ImageStore
from catalog_service.services.images import ImageSweeper
from common_lib.auth import Role
from tests.integration.catalog_service.conftest import Catalog

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


async def at_once(*calls: Any) -> list[httpx2.Response]:
    barrier = asyncio.Barrier(len(calls))

    async def run(call: Any) -> httpx2.Response:
        await barrier.wait()
        answer: httpx2.Response = await call
        return answer

    return list(await asyncio.gather(*(run(call) for call in calls)))


async def put(store: ImageStore, key: str, data: bytes) -> None:
    await store.store(key, Picture(PNG, 30, 20, data))


async def sweep(catalog: Catalog) -> None:
    await ImageSweeper(catalog.database, catalog.deps.images.store).sweep()


async def removals(catalog: Catalog, key: str) -> int:
    query = sa.text("SELECT COUNT(*) FROM image_removals WHERE storage_key = :key")
    return int((await catalog.rows(query, key=key))[0][0])
