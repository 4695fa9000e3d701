"""Draws a picture anew: decodes what was uploaded, and writes its pixels into a fresh file.

What comes out holds no metadata (a photo's EXIF names the place it was taken at), no comment and
nothing behind the picture's end. `clients/pictures.py` runs this file as a program of its own,
with limits on memory and processor time, for what it reads may be made to break a decoder. It
imports nothing of ours, so that it starts quickly.
"""

import contextlib
import io
import json
import resource
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageCms, ImageOps

# What is taken, and how it is written again. JPEG's plugin names a file of several pictures MPO.
FORMATS: Final[Mapping[str, str]] = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
}
_SAME_AS: Final = {"MPO": "JPEG"}
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "JPEG": {"quality": 90},
    "PNG": {},
    "WEBP": {"quality": 90},
}
_MODES: Final[Mapping[str, frozenset[str]]] = {
    "JPEG": frozenset({"L", "RGB"}),
    "PNG": frozenset({"1", "L", "LA", "P", "RGB", "RGBA"}),
    "WEBP": frozenset({"RGB", "RGBA"}),
}
# Twice what any screen shows of a product; a photo as a camera makes it would be many megabytes.
LONGEST_SIDE: Final = 2560
# The decoded picture and a copy of it, at four bytes a pixel each.
_BYTES_PER_PIXEL: Final = 8
_BASE_BYTES: Final = 384 * 1024 * 1024


class TooLarge(Exception):
    """The picture has more pixels than are drawn."""


class Invalid(Exception):
    """The bytes are no whole picture of the type they were declared as."""


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int


def redraw(data: bytes, content_type: str, *, max_pixels: int) -> tuple[Size, bytes]:
    """Return the picture's size and its new file: the first frame, at most LONGEST_SIDE a side.

    Raises TooLarge before a pixel is decoded, or Invalid.
    """
    kind = FORMATS[content_type]
    # A size that is too large raises instead of being warned about.
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _redraw(data, kind, max_pixels)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise TooLarge from None
    except (TooLarge, Invalid):
        raise
    # Decoders raise nearly everything for a file made by hand, struct.error and IndexError too.
    except Exception as error:
        raise Invalid from error


def _redraw(data: bytes, kind: str, max_pixels: int) -> tuple[Size, bytes]:
    with Image.open(io.BytesIO(data), formats=[kind]) as opened:
        if _SAME_AS.get(opened.format or "", opened.format) != kind:
            raise Invalid
        width, height = opened.size
        if width * height > max_pixels:
            raise TooLarge
        picture = _plain(ImageOps.exif_transpose(_fitted(opened)), kind)
    out = io.BytesIO()
    picture.save(out, kind, **_OPTIONS[kind])
    return Size(*picture.size), out.getvalue()


def _fitted(opened: Image.Image) -> Image.Image:
    """Decode, and bring down what is larger than is shown."""
    if max(opened.size) <= LONGEST_SIDE:
        opened.load()
        return opened
    if opened.mode in {"1", "P"}:  # whose points cannot be mixed
        opened = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    opened.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return opened


def _plain(picture: Image.Image, kind: str) -> Image.Image:
    """Return the bare pixels in the web's colours and in a mode the format can hold."""
    profile, transparency = (picture.info.get(name) for name in ("icc_profile", "transparency"))
    picture.info = {} if transparency is None else {"transparency": transparency}
    if profile:
        picture = _in_srgb(picture, profile)
    if picture.mode in _MODES[kind]:
        return picture
    if picture.mode.startswith("I"):  # 16 bits of grey: the upper eight are what a screen shows
        picture = picture.convert("I").point(lambda value: value / 257).convert("L")
    has_alpha = picture.has_transparency_data and kind != "JPEG"
    return picture.convert("RGBA" if has_alpha else "RGB")


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Return the picture in sRGB, which is what a file without a profile is taken for."""
    if picture.mode == "P":
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    # A profile that is broken or of another kind of picture leaves the colours as they are.
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = "RGB" if picture.mode == "CMYK" else picture.mode
        drawn = ImageCms.profileToProfile(
            picture, source, ImageCms.createProfile("sRGB"), outputMode=target
        )
        picture = drawn or picture
    picture.info.pop("icc_profile", None)
    return picture


def _limit_ourselves(max_pixels: int, cpu_s: int) -> None:
    memory = _BASE_BYTES + _BYTES_PER_PIXEL * max_pixels
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Where memory runs out nevertheless, this process goes and not the service.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> None:
    """Read a picture, write a line of JSON about it and then its new file.

    Arguments: content type, most pixels, seconds of processor time.
    """
    content_type, max_pixels, cpu_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    _limit_ourselves(max_pixels, cpu_s)
    try:
        size, drawn = redraw(sys.stdin.buffer.read(), content_type, max_pixels=max_pixels)
    except (TooLarge, Invalid) as refused:
        answer, drawn = {"refused": type(refused).__name__}, b""
    else:
        answer = asdict(size)
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + drawn)


if __name__ == "__main__":
    main()
