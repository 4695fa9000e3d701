"""Pictures of products: uploaded straight to the bucket, checked here, and only then shown.

An object is in the bucket only while a row names it: either the picture that shows it, or a
removal that is to delete it. The removal is written before the object and taken back with the
picture's row, so that a process may die anywhere without leaving anything behind for ever.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from catalog_service.clients.pictures import ImageTooLarge, Picture, Redrawer
from catalog_service.clients.storage import ImageStore
from catalog_service.models.products import ProductImage
from catalog_service.queries import images as queries
from catalog_service.queries.images import Gallery
from catalog_service.schemas.images import AttachedImage, AttachIn, PresignIn, PresignOut
from catalog_service.services.products.rules import Expectation, lock_own, require_owner, save
from common_lib.auth import Principal
from common_lib.clock import now
from common_lib.database import Database, WriteSession
from common_lib.errors import Conflict, FieldError, NotFound, Rejected, Unavailable
from common_lib.ids import new_id

log = structlog.get_logger(__name__)

# How long a picture that was stored may wait for its row; far longer than an attach may take.
_GRACE: Final = timedelta(minutes=10)
_LEASE_S: Final = 60
_CLAIMED: Final = 50


class ImageUrlRefused(Rejected):
    """No address but our bucket's own is taken, and none is ever fetched or resolved."""

    code = "image_url_refused"
    title = "Only an address of your upload in the shop's own bucket is taken"


class ImageNotUploaded(Rejected):
    code = "image_not_uploaded"
    title = "There is no upload for this product under this key"


class TooManyImages(Conflict):
    code = "too_many_images"
    title = "The product has as many pictures as it may have"


@dataclass(frozen=True, slots=True)
class Attached:
    """A picture and the product's version with it; `is_new` unless it was attached before."""

    image: ProductImage
    version: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Rules:
    max_bytes: int
    per_product: int
    upload_ttl_s: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture that was checked, on its way to its product."""

    product_id: UUID
    image_id: UUID
    key: str
    picture: Picture
    asked: AttachIn

    def row(self, public_url: str, position: int) -> ProductImage:
        return ProductImage(
            id=self.image_id,
            product_id=self.product_id,
            url=f"{public_url}/{self.key}",
            alt_text=self.asked.alt_text,
            position=position,
            storage_key=self.key,
            content_type=self.picture.content_type,
            width=self.picture.width,
            height=self.picture.height,
            size_bytes=len(self.picture.data),
        )


@dataclass(frozen=True, slots=True)
class Images:
    """The use cases about pictures."""

    database: Database
    store: ImageStore
    redrawer: Redrawer
    rules: Rules

    async def presign(self, principal: Principal, product_id: UUID, body: PresignIn) -> PresignOut:
        """Return what a browser needs to upload one file; nothing is written.

        Raises ImageTooLarge, NotFound (also for another seller's product) or TooManyImages.
        """
        if body.size_bytes > self.rules.max_bytes:
            raise ImageTooLarge(
                errors=[FieldError("/sizeBytes", "image_too_large", "send fewer bytes")]
            )
        gallery = await self._own(principal, product_id)
        self._require_room(gallery.images)
        key, ttl_s = _upload_key(product_id, new_id()), self.rules.upload_ttl_s
        expires_at = now() + timedelta(seconds=ttl_s)
        fields = await self.store.presign(
            key, body.content_type, max_bytes=body.size_bytes, ttl_s=ttl_s
        )
        return PresignOut(
            upload_url=self.store.upload_url,
            method="POST",
            fields=dict(fields),
            key=key,
            expires_at=expires_at,
        )

    async def attach(
        self, principal: Principal, product_id: UUID, body: AttachIn, expected: Expectation
    ) -> Attached:
        """Check an upload, draw it anew and show it; PRODUCT_UPDATED goes out with it.

        Safe to repeat: the same upload is one picture. Raises NotFound, PreconditionFailed,
        TooManyImages, ImageUrlRefused, ImageNotUploaded, ImageTooLarge, ImageInvalid, or
        Unavailable (ImagesBusy too), after which the upload is still there.
        """
        gallery = await self._own(principal, product_id)
        image_id = self._image_id(product_id, body)
        if known := _find(gallery.images, image_id):
            return Attached(known, gallery.version, is_new=False)
        expected.check(gallery.version)
        self._require_room(gallery.images)
        async with self.redrawer.turn():
            picture = await self._checked(_upload_key(product_id, image_id))
            key = _picture_key(product_id, image_id, picture)
            candidate = _Candidate(product_id, image_id, key, picture, body)
            return await self._show(principal, candidate, expected)

    async def remove(
        self, principal: Principal, product_id: UUID, image_id: UUID, expected: Expectation
    ) -> int:
        """Take a picture off its product; the object goes with the next sweep.

        Returns the product's version; PRODUCT_UPDATED goes out with it. Raises NotFound or
        PreconditionFailed.
        """

        async def work(session: WriteSession) -> int:
            product = await lock_own(session, principal, product_id, expected)
            image = _find(await queries.images_of(session, product_id), image_id)
            if image is None:
                raise NotFound
            await session.delete(image)
            if image.storage_key is not None:
                await queries.add_removal(session, image.storage_key, now())
            await save(session, product)
            return product.version

        return await self.database.transact(work)

    async def _own(self, principal: Principal, product_id: UUID) -> Gallery:
        async with self.database.read_own_writes() as session:
            gallery = await queries.gallery(session, product_id)
            if gallery is None:
                raise NotFound
            await require_owner(session, principal, gallery.seller_id)
        return gallery

    def _require_room(self, images: Sequence[ProductImage]) -> None:
        if len(images) >= self.rules.per_product:
            raise TooManyImages(limit=self.rules.per_product)

    def _image_id(self, product_id: UUID, body: AttachIn) -> UUID:
        """Return the picture that an upload of this product becomes: its key names it."""
        if body.url is not None:
            found = _id_in(product_id, self._key_at(body.url))
            if found is None:
                raise ImageUrlRefused(
                    errors=[FieldError("/url", "image_url_refused", "not an upload of ours")]
                )
            return found
        found = _id_in(product_id, body.key or "")
        if found is None:
            raise ImageNotUploaded
        return found

    def _key_at(self, url: str) -> str:
        """Return the key an address of ours ends in, else nothing.

        Compared letter by letter: what is parsed or resolved can be made to mean something else.
        """
        for base in (self.store.upload_url, self.store.public_url):
            if url.startswith(f"{base}/"):
                return url.removeprefix(f"{base}/")
        return ""

    async def _checked(self, key: str) -> Picture:
        upload = await self.store.fetch(key, max_bytes=self.rules.max_bytes)
        if upload is None:
            raise ImageNotUploaded
        return await self.redrawer.redraw(upload.data, upload.content_type)

    async def _show(
        self, principal: Principal, candidate: _Candidate, expected: Expectation
    ) -> Attached:
        due_at = now() + _GRACE

        async def announce(session: WriteSession) -> None:
            await queries.add_removal(session, candidate.key, due_at)

        async def work(session: WriteSession) -> Attached:
            product = await lock_own(session, principal, candidate.product_id, expected)
            images = await queries.images_of(session, product.id)
            if known := _find(images, candidate.image_id):
                return Attached(known, product.version, is_new=False)
            self._require_room(images)
            if not await queries.withdraw_removal(session, candidate.key, due_at):
                raise Unavailable("the picture took too long", retry_after_s=1)
            image = candidate.row(self.store.public_url, await _place(session, candidate, images))
            session.add(image)
            await queries.add_removal(session, _upload_key(product.id, image.id), now())
            await save(session, product)
            return Attached(image, product.version, is_new=True)

        await self.database.transact(announce)
        await self.store.store(candidate.key, candidate.picture)
        return await self.database.transact(work)


@dataclass(frozen=True, slots=True)
class ImageSweeper:
    """Deletes from the bucket what no row shows."""

    database: Database
    store: ImageStore

    async def sweep(self) -> int:
        """Delete what is due and return how many; what fails is tried again a minute later."""
        done = 0
        while keys := await self._claim():
            for key in keys:
                await self.store.delete(key)
                await self._forget(key)
                done += 1
        return done

    async def _claim(self) -> list[str]:
        async def work(session: WriteSession) -> list[str]:
            return await queries.claim_removals(session, at=now(), lease_s=_LEASE_S, limit=_CLAIMED)

        return await self.database.transact(work)

    async def _forget(self, key: str) -> None:
        async def work(session: WriteSession) -> None:
            await queries.forget_removal(session, key)

        await self.database.transact(work)


def image_out(image: ProductImage) -> AttachedImage:
    return AttachedImage(
        id=image.id,
        url=image.url,
        alt_text=image.alt_text,
        position=image.position,
        content_type=image.content_type,
        width=image.width,
        height=image.height,
    )


async def _place(
    session: WriteSession, candidate: _Candidate, images: Sequence[ProductImage]
) -> int:
    """Return a free position: at the end, or where those behind are moved on."""
    wanted = candidate.asked.position
    if wanted is None or wanted >= len(images):
        return images[-1].position + 1 if images else 0
    position = images[wanted].position
    await queries.make_room(session, candidate.product_id, position)
    return position


def _find(images: Sequence[ProductImage], image_id: UUID) -> ProductImage | None:
    return next((image for image in images if image.id == image_id), None)


def _upload_key(product_id: UUID, image_id: UUID) -> str:
    return f"uploads/{product_id}/{image_id.hex}"


def _picture_key(product_id: UUID, image_id: UUID, picture: Picture) -> str:
    """Return a key of this attempt's own: the picture of another one may be on its way out."""
    return f"products/{product_id}/{image_id.hex}-{new_id().hex[-8:]}.{picture.extension}"


def _id_in(product_id: UUID, key: str) -> UUID | None:
    """Return the picture an upload key of this very product names."""
    found = re.fullmatch(rf"uploads/{product_id}/([0-9a-f]{{32}})", key)
    return None if found is None else UUID(found[1])
