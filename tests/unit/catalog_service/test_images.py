"""What is taken for a picture, and what is left of it once it is drawn anew."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, ImageCms

from catalog_service.clients.pictures import EXTENSIONS
from catalog_service.clients.redraw import FORMATS, LONGEST_SIDE, Invalid, TooLarge, redraw

MAX_PIXELS = 25_000_000
JPEG, PNG, WEBP = "image/jpeg", "image/png", "image/webp"
ORIENTATION, GPS, MAKER = 0x0112, 0x8825, 0x010F


def picture(
    kind: str = PNG, *, mode: str = "RGB", size: tuple[int, int] = (60, 40), **options: Any
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, FORMATS[kind], **options)
    return out.getvalue()


def drawn(data: bytes, kind: str = PNG, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    size, anew = redraw(data, kind, max_pixels=max_pixels)
    opened = Image.open(io.BytesIO(anew))
    opened.load()
    assert opened.format == FORMATS[kind]
    assert opened.size == (size.width, size.height)
    return opened


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_claiming(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that says it is very large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def photo_with_metadata() -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[MAKER] = "SECRET-CAMERA"
    exif[GPS] = {1: "N", 2: (12.0, 58.0, 18.0)}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return picture(JPEG, exif=exif, icc_profile=profile, comment=b"SECRET-COMMENT")


def test_every_type_taken_has_a_file_name() -> None:
    assert set(EXTENSIONS) == set(FORMATS)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *((JPEG, mode) for mode in ("L", "RGB", "CMYK")),
        *((PNG, mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *((WEBP, mode) for mode in ("RGB", "RGBA")),
    ],
)
def test_a_picture_keeps_its_type_and_size(kind: str, mode: str) -> None:
    assert drawn(picture(kind, mode=mode), kind).size == (60, 40)


def test_metadata_is_left_out_and_the_turn_it_told_of_is_made() -> None:
    _, anew = redraw(photo_with_metadata(), JPEG, max_pixels=MAX_PIXELS)
    assert b"SECRET" not in anew
    opened = Image.open(io.BytesIO(anew))
    assert dict(opened.getexif()) == {}
    assert not {"exif", "icc_profile", "comment", "xmp"} & set(opened.info)
    assert opened.size == (40, 60)


@pytest.mark.parametrize("kind", [JPEG, PNG, WEBP])
def test_what_follows_the_picture_is_left_out(kind: str) -> None:
    polyglot = picture(kind) + b"PK\x03\x04<script>alert(1)</script>"
    _, anew = redraw(polyglot, kind, max_pixels=MAX_PIXELS)
    assert b"script" not in anew


def test_text_inside_a_png_is_left_out() -> None:
    data = picture(PNG)
    spoiled = data[:33] + chunk(b"tEXt", b"Comment\0<?php system($_GET[0]);?>") + data[33:]
    _, anew = redraw(spoiled, PNG, max_pixels=MAX_PIXELS)
    assert b"php" not in anew


def test_transparency_is_kept() -> None:
    assert drawn(picture(PNG, mode="RGBA")).getpixel((0, 0)) == (0, 0, 0, 0)
    indexed = drawn(picture(PNG, mode="P", transparency=0))
    assert indexed.convert("RGBA").getpixel((0, 0)) == (0, 0, 0, 0)


def test_of_an_animation_the_first_frame_is_kept() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    for kind in (PNG, WEBP):
        out = io.BytesIO()
        frames[0].save(out, FORMATS[kind], save_all=True, append_images=frames[1:], lossless=True)
        still = drawn(out.getvalue(), kind)
        assert getattr(still, "n_frames", 1) == 1
        red, green, blue = still.convert("RGB").resize((1, 1)).tobytes()
        assert red > 200
        assert max(green, blue) < 50


def test_a_large_photo_is_brought_down() -> None:
    assert drawn(picture(JPEG, size=(4000, 2000)), JPEG).size == (LONGEST_SIDE, LONGEST_SIDE // 2)
    assert drawn(picture(PNG, mode="P", size=(10, 5000))).size == (5, LONGEST_SIDE)


@pytest.mark.parametrize("size", [(50_000, 50_000), (2**31 - 1, 2**31 - 1), (25_000_001, 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(TooLarge):
        redraw(png_claiming(*size), PNG, max_pixels=MAX_PIXELS)


def test_exactly_the_most_pixels_are_taken() -> None:
    data = picture(PNG, size=(50, 40))
    assert drawn(data, max_pixels=2000).size == (50, 40)
    with pytest.raises(TooLarge):
        redraw(data, PNG, max_pixels=1999)


def test_a_bomb_of_text_is_refused() -> None:
    data = picture(PNG)
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 50_000_000))
    with pytest.raises(Invalid):
        redraw(data[:33] + text + data[33:], PNG, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("kind", [JPEG, PNG, WEBP])
@pytest.mark.parametrize("kept", [0, 1, 12, 30, 0.5])
def test_half_a_picture_is_refused(kind: str, kept: float) -> None:
    data = noise(kind)
    end = int(kept * len(data)) if kept < 1 else int(kept)
    with pytest.raises(Invalid):
        redraw(data[:end], kind, max_pixels=MAX_PIXELS)


def noise(kind: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((200, 200), 80).convert("RGB").save(out, FORMATS[kind])
    return out.getvalue()


@pytest.mark.parametrize("declared", [JPEG, PNG, WEBP])
@pytest.mark.parametrize("actual", [JPEG, PNG, WEBP])
def test_a_picture_of_another_type_is_refused(declared: str, actual: str) -> None:
    if declared == actual:
        assert drawn(picture(actual), declared).size == (60, 40)
    else:
        with pytest.raises(Invalid):
            redraw(picture(actual), declared, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    "data",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        b"<html><script>alert(1)</script></html>",
        b"GIF89a" + b"\0" * 100,
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"PK\x03\x04" + b"\0" * 100,
        b"\0" * 5000,
        b"<script></script>" + picture(JPEG),
    ],
    ids=["svg", "xxe", "html", "gif", "pdf", "eps", "zip", "zeros", "html-then-jpeg"],
)
@pytest.mark.parametrize("declared", [JPEG, PNG, WEBP])
def test_what_is_no_picture_is_refused(data: bytes, declared: str) -> None:
    with pytest.raises(Invalid):
        redraw(data, declared, max_pixels=MAX_PIXELS)


def test_a_broken_colour_profile_does_no_harm() -> None:
    assert drawn(picture(JPEG, icc_profile=b"\0" * 500), JPEG).size == (60, 40)
