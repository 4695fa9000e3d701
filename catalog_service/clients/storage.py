"""The picture bucket in S3: presigned uploads in, checked pictures out."""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from catalog_service.clients.pictures import ImageTooLarge, Picture
from catalog_service.settings import Settings
from common_lib.bus import BUS_FAILURES, aws_client_arguments, aws_client_config
from common_lib.errors import Unavailable

log = structlog.get_logger(__name__)

_READ_TIMEOUT_S: Final = 5.0
_CALL_TIMEOUT_S: Final = 15.0
_RETRY_S: Final = 2
# A key is never written twice, so whoever has the picture never needs to ask again.
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_MISSING: Final = frozenset({"NoSuchKey", "404"})


@dataclass(frozen=True, slots=True)
class Upload:
    content_type: str
    data: bytes


class ImageStore:
    """One long-lived client of the bucket, opened by the first call that needs it.

    The AWS library costs 20 MB and a third of a second of CPU, and most processes never touch a
    picture. Every verb but the addresses raises Unavailable if the bucket is away.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = settings.image_bucket
        self._stack = contextlib.AsyncExitStack()
        self._opening = asyncio.Lock()
        self._client: Any = None

    @property
    def upload_url(self) -> str:
        """Where a browser posts an upload; without a slash at the end."""
        return self._settings.image_upload_url.rstrip("/") or self._bucket_url

    @property
    def public_url(self) -> str:
        """What a browser puts before a key to see the picture; without a slash at the end."""
        return self._settings.image_public_url.rstrip("/") or self._bucket_url

    @property
    def _bucket_url(self) -> str:
        endpoint = self._settings.aws_endpoint_url
        if endpoint:
            return f"{endpoint.rstrip('/')}/{self._bucket}"
        return f"https://{self._bucket}.s3.{self._settings.aws_region}.amazonaws.com"

    async def presign(
        self, key: str, content_type: str, *, max_bytes: int, ttl_s: int
    ) -> Mapping[str, str]:
        """Return the form fields that let anybody post one file to this very key, until `ttl_s`.

        S3 itself refuses another key, another type, an empty or larger file. Signed here, without
        a word to S3.
        """
        conditions = [
            {"Content-Type": content_type},
            ["content-length-range", 1, max_bytes],
        ]
        async with self._call() as s3:
            signed = await s3.generate_presigned_post(
                self._bucket,
                key,
                Fields={"Content-Type": content_type},
                Conditions=conditions,
                ExpiresIn=ttl_s,
            )
        fields: Mapping[str, str] = signed["fields"]
        return fields

    async def fetch(self, key: str, *, max_bytes: int) -> Upload | None:
        """Return an object, or None where there is none. Raises ImageTooLarge before reading it."""
        async with self._call() as s3:
            try:
                found = await s3.get_object(Bucket=self._bucket, Key=key)
            except BUS_FAILURES as error:
                if _code(error) in _MISSING:
                    return None
                raise
            async with found["Body"] as body:
                if found["ContentLength"] > max_bytes:
                    raise ImageTooLarge
                return Upload(found.get("ContentType", ""), await body.read())

    async def store(self, key: str, picture: Picture) -> None:
        async with self._call() as s3:
            await s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=picture.data,
                ContentType=picture.content_type,
                CacheControl=_FOR_EVER,
            )

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        async with self._call() as s3:
            await s3.delete_object(Bucket=self._bucket, Key=key)

    async def close(self) -> None:
        await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def _call(self) -> AsyncIterator[Any]:
        with _translated():
            async with asyncio.timeout(_CALL_TIMEOUT_S):
                yield await self._opened()

    async def _opened(self) -> Any:
        async with self._opening:
            if self._client is None:
                # In a thread, because the import would hold up everybody else for so long.
                session = await asyncio.to_thread(_session)
                self._client = await self._stack.enter_async_context(
                    session.client(
                        "s3", **aws_client_arguments(self._settings), config=self._config()
                    )
                )
        return self._client

    def _config(self) -> Any:
        config = aws_client_config(read_timeout_s=_READ_TIMEOUT_S, max_connections=8)
        # Beside AWS a bucket has no host name of its own.
        style = "path" if self._settings.aws_endpoint_url else "virtual"
        own = importlib.import_module("aiobotocore.config").AioConfig(
            signature_version="s3v4", s3={"addressing_style": style}
        )
        return config.merge(own)


def _session() -> Any:
    return importlib.import_module("common_lib.bus.sessions").new_session()


def _code(error: BaseException) -> str:
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BUS_FAILURES as error:
        log.warning("storage.unavailable", error=type(error).__name__, code=_code(error))
        raise Unavailable("the picture store does not answer", retry_after_s=_RETRY_S) from error
