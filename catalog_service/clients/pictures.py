"""Pictures drawn anew by a program of its own, for a decoder fed by strangers is not trusted."""

import asyncio
import contextlib
import math
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import structlog

from common_lib.errors import Rejected, Unavailable

log = structlog.get_logger(__name__)

# What `redraw` takes. Not imported from there: Pillow has no place in this process.
EXTENSIONS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_PROGRAM: Final = Path(__file__).with_name("redraw.py")
_RETRY_S: Final = 2


class ImageInvalid(Rejected):
    code = "image_invalid"
    title = "The upload is not a whole picture of the type it was declared as"


class ImageTooLarge(Rejected):
    code = "image_too_large"
    title = "The picture has more bytes or pixels than are taken"


class ImagesBusy(Unavailable):
    code = "images_busy"
    title = "Too many pictures are being checked at once"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture safe to show: nothing but its pixels, in the format its type says."""

    content_type: str
    width: int
    height: int
    data: bytes

    @property
    def extension(self) -> str:
        return EXTENSIONS[self.content_type]


class Redrawer:
    """Draws at most `at_once` pictures anew; as many as `waiting` more wait, up to `wait_s`."""

    def __init__(
        self,
        *,
        max_pixels: int,
        at_once: int,
        waiting: int = 8,
        wait_s: float = 3,
        timeout_s: float = 8,
    ) -> None:
        self._max_pixels = max_pixels
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(at_once)
        self._wait_s = wait_s
        self._most = at_once + waiting
        self._present = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one of the places while the block lasts. Raises ImagesBusy."""
        if self._present >= self._most:
            raise ImagesBusy(retry_after_s=_RETRY_S)
        self._present += 1
        try:
            await self._take_place()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._present -= 1

    async def _take_place(self) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise ImagesBusy(retry_after_s=_RETRY_S) from None

    async def redraw(self, data: bytes, content_type: str) -> Picture:
        """Return the picture anew. Raises ImageInvalid, ImageTooLarge or ImagesBusy."""
        if content_type not in EXTENSIONS:
            raise ImageInvalid
        head, _, drawn = (await self._run(data, content_type)).partition(b"\n")
        answer = orjson.loads(head)
        refused = answer.get("refused")
        if refused is not None:
            raise ImageTooLarge if refused == "TooLarge" else ImageInvalid
        return Picture(content_type, answer["width"], answer["height"], drawn)

    async def _run(self, data: bytes, content_type: str) -> bytes:
        limits = (str(self._max_pixels), str(math.ceil(self._timeout_s)))
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(_PROGRAM), content_type, *limits),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                out, _ = await program.communicate(data)
        except TimeoutError:
            raise ImageInvalid("the picture takes too long to decode") from None
        finally:
            await _end(program)
        if program.returncode != 0:
            raise _failure(program.returncode)
        return out


async def _end(program: asyncio.subprocess.Process) -> None:
    if program.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            program.kill()
        await program.wait()


def _failure(code: int | None) -> ImageInvalid | ImagesBusy:
    """Say whose fault it was: a decoder that breaks, or a machine short of memory."""
    log.warning("images.redraw_failed", code=code)
    if code == -signal.SIGKILL:
        return ImagesBusy("there is not enough memory just now", retry_after_s=_RETRY_S)
    return ImageInvalid()
