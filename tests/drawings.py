"""Generated test images: two clearly different kinds, and files that the API must refuse."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIDE = 96


def draw_image(kind: str, number: int) -> Image.Image:
    """`discs`: warm discs on white; `stripes`: cold stripes. The number is the seed of position and colour."""
    rng = np.random.default_rng(number)
    image = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(image)
    if kind == "discs":
        center_x, center_y, radius = (
            int(rng.integers(low, high)) for low, high in ((30, 66), (30, 66), (18, 30))
        )
        pen.ellipse(
            (center_x - radius, center_y - radius, center_x + radius, center_y + radius),
            fill=(220, int(rng.integers(40, 120)), 30),
        )
    else:
        step = int(rng.integers(10, 16))
        for x_start in range(int(rng.integers(0, step)), SIDE, step):
            pen.rectangle((x_start, 0, x_start + step // 2, SIDE), fill=(20, int(rng.integers(40, 120)), 200))
    return image


def encode_image(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def make_image_file(kind: str, number: int) -> bytes:
    return encode_image(draw_image(kind, number))


def make_noise_image(width: int = 200, height: int = 300) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def make_animation(kind: str, frames: int) -> bytes:
    """Makes an animation whose greys rise from frame to frame in steps that a palette can represent."""
    shades = [Image.new("RGB", (32, 32), (n * 255 // frames,) * 3) for n in range(frames)]
    return encode_image(shades[0], kind, save_all=True, append_images=shades[1:], duration=20)


def make_png_with_declared_size(
    width: int, height: int, *, bits: int = 8, colour: int = 2, pixels: bytes = b""
) -> bytes:
    """Makes a PNG whose header declares that size, whatever its pixels are."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_build_chunk(name, body) for name, body in parts)


def _build_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
