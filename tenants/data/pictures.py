"""An uploaded image as it is kept: read within bounds, and written anew with nothing in it but its pixels."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tenants.data import videos
from tenants.errors import Invalid, TooLarge

MIB = 1024 * 1024
MAX_BYTES = 8 * MIB
MAX_PIXELS = 16_000_000
MAX_SIDE = 16_384
KEPT_SIDE = 1_024
KEY_FRAMES = 4
# Of a moving image no more is looked at, however many frames it says it has.
MOST_FRAMES, MOST_MOVING_PIXELS = 200, 32_000_000
FRAME_MILLISECONDS = 1_000
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
# What is taken, and how many bytes of each.
LIMITS = {**dict.fromkeys(FORMATS, MAX_BYTES), **dict.fromkeys(videos.TYPES, videos.MAX_BYTES)}
_NAMES = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WebP", "GIF": "GIF"}
# A large image takes up to 130 MB while it is read: more than two at once would be a way to exhaust a server.
_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Picture:
    """What is stored and shown: at most 1,024 pixels a side."""

    content: bytes
    content_type: str


def kept(content: bytes, content_type: str) -> Picture:
    """Opaque images become JPEG, transparent and moving ones WebP, turned upright and without metadata.

    Of a moving image and of a video four frames are kept, evenly chosen. Raises TooLarge, Invalid for what is no such
    image, and QuotaExceeded while another video is read."""
    if content_type in videos.TYPES:
        return _of(videos.key_frames(content, content_type, count=KEY_FRAMES, side=KEPT_SIDE))
    if len(content) > MAX_BYTES:
        raise TooLarge(f"An image has at most {MAX_BYTES // MIB} MiB.")
    wanted = FORMATS.get(content_type)
    if wanted is None:
        raise _refusal(
            "unsupported_image", "Send PNG, JPEG, WebP, GIF, MP4 or WebM with the matching Content-Type."
        )
    with _AT_ONCE:
        try:
            return _read(content, wanted)
        except Invalid:
            raise
        except UnidentifiedImageError as fault:
            raise _refusal("unsupported_image", "This is no PNG, JPEG, WebP or GIF image.") from fault
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as fault:
            raise _too_many_pixels() from fault
        except Exception as fault:
            # Decoders raise whatever hostile bytes lead them to: struct.error, KeyError, EOFError and more.
            raise _refusal("broken_image", "The image is damaged or cut short.") from fault


def _read(content: bytes, wanted: str) -> Picture:
    with Image.open(io.BytesIO(content), formats=list(FORMATS.values())) as image:
        found = _NAMES[image.format or wanted]
        if found != _NAMES[wanted]:
            raise _refusal(
                "other_image_type", f"The Content-Type says {_NAMES[wanted]}, the image is {found}."
            )
        if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
            raise _too_many_pixels()
        # A JPEG is read at the size that is needed.
        image.draft(image.mode, (KEPT_SIDE, KEPT_SIDE))
        frames = [_upright(image)] if wanted == "JPEG" else _key_frames(image)
    return _of(frames)


def _key_frames(image: Image.Image) -> list[Image.Image]:
    """The first and last of those looked at, and two between."""
    most = max(1, min(MOST_FRAMES, MOST_MOVING_PIXELS // (image.width * image.height)))
    count = _frames_within(image, most)
    places = sorted({round(part * (count - 1) / (KEY_FRAMES - 1)) for part in range(KEY_FRAMES)})
    frames = []
    for place in places:
        image.seek(place)
        frames.append(_upright(image))
    return frames


def _frames_within(image: Image.Image, most: int) -> int:
    """How many frames there are, counted up to `most`: a header may say anything."""
    for place in range(1, most):
        try:
            image.seek(place)
        except EOFError:
            return place
    return most


def _upright(image: Image.Image) -> Image.Image:
    """A new RGB or RGBA image with no more than the pixels of this one, at most 1,024 a side."""
    turned = ImageOps.exif_transpose(_eight_bit(image))
    picture = turned.convert("RGBA" if turned.has_transparency_data else "RGB")
    picture.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.BICUBIC)
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema()[0] == 255:
        picture = picture.convert("RGB")
    clean = Image.new(picture.mode, picture.size)
    clean.paste(picture)
    return clean


def _eight_bit(image: Image.Image) -> Image.Image:
    """Greys of 16 bits are scaled: Pillow would cut them off at 255."""
    if not image.mode.startswith("I"):
        return image
    grey = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    grey.info = image.info
    return grey


def _of(frames: list[Image.Image]) -> Picture:
    return _moving(frames) if len(frames) > 1 else _still(frames[0])


def _still(picture: Image.Image) -> Picture:
    out = io.BytesIO()
    if picture.mode == "RGB":
        picture.save(out, "JPEG", quality=88)
        return Picture(out.getvalue(), "image/jpeg")
    picture.save(out, "WEBP", quality=85)
    return Picture(out.getvalue(), "image/webp")


def _moving(frames: list[Image.Image]) -> Picture:
    out = io.BytesIO()
    frames[0].save(
        out,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=FRAME_MILLISECONDS,
        loop=0,
        quality=85,
    )
    return Picture(out.getvalue(), "image/webp")


def _refusal(code: str, sentence: str) -> Invalid:
    return Invalid.at("", code, sentence)


def _too_many_pixels() -> Invalid:
    return _refusal(
        "too_many_pixels",
        f"An image has at most {MAX_PIXELS // 1_000_000} million pixels and {MAX_SIDE:,} on a side.",
    )
