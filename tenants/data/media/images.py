"""An uploaded image as it is kept: read within bounds, and written anew with nothing in it but its pixels."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tenants.data.media import videos
from tenants.errors import Invalid, TooLarge

MIB = 1024 * 1024
MAX_BYTES = 8 * MIB
MAX_PIXELS = 16_000_000
MAX_SIDE = 16_384
MAX_STORED_SIDE = 1_024
KEY_FRAMES = 4
# Of a moving image no more is looked at, however many frames it says it has.
MAX_FRAMES, MAX_ANIMATED_PIXELS = 200, 32_000_000
FRAME_MILLISECONDS = 1_000
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
# What is taken, and how many bytes of each.
MAX_BYTES_BY_TYPE = {
    **dict.fromkeys(FORMATS, MAX_BYTES),
    **dict.fromkeys(videos.CONTENT_TYPES, videos.MAX_BYTES),
}
_FORMAT_NAMES = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WebP", "GIF": "GIF"}
# A large image takes up to 130 MB while it is read: more than two at once would be a way to exhaust a server.
_DECODE_SLOTS = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """What is stored and shown: at most 1,024 pixels a side."""

    content: bytes
    content_type: str


def reencode_image(content: bytes, content_type: str) -> EncodedImage:
    """Opaque images become JPEG, transparent and moving ones WebP, turned upright and without metadata.

    Of a moving image and of a video four frames are kept, evenly chosen. Raises TooLarge, Invalid for what is no such
    image, and QuotaExceeded while another video is read."""
    if content_type in videos.CONTENT_TYPES:
        return _encode_frames(
            videos.extract_key_frames(content, content_type, count=KEY_FRAMES, side=MAX_STORED_SIDE)
        )
    if len(content) > MAX_BYTES:
        raise TooLarge(f"An image has at most {MAX_BYTES // MIB} MiB.")
    wanted = FORMATS.get(content_type)
    if wanted is None:
        raise _build_error(
            "unsupported_image", "Send PNG, JPEG, WebP, GIF, MP4 or WebM with the matching Content-Type."
        )
    with _DECODE_SLOTS:
        try:
            return _decode_image(content, wanted)
        except Invalid:
            raise
        except UnidentifiedImageError as fault:
            raise _build_error("unsupported_image", "This is no PNG, JPEG, WebP or GIF image.") from fault
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as fault:
            raise _build_pixel_limit_error() from fault
        except Exception as fault:
            # Decoders raise whatever hostile bytes lead them to: struct.error, KeyError, EOFError and more.
            raise _build_error("broken_image", "The image is damaged or cut short.") from fault


def _decode_image(content: bytes, expected_format: str) -> EncodedImage:
    with Image.open(io.BytesIO(content), formats=list(FORMATS.values())) as image:
        found = _FORMAT_NAMES[image.format or expected_format]
        if found != _FORMAT_NAMES[expected_format]:
            raise _build_error(
                "image_type_mismatch",
                f"The Content-Type says {_FORMAT_NAMES[expected_format]}, the image is {found}.",
            )
        if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
            raise _build_pixel_limit_error()
        # A JPEG is read at the size that is needed.
        image.draft(image.mode, (MAX_STORED_SIDE, MAX_STORED_SIDE))
        frames = [_normalize_frame(image)] if expected_format == "JPEG" else _extract_key_frames(image)
    return _encode_frames(frames)


def _extract_key_frames(image: Image.Image) -> list[Image.Image]:
    """The first and last of those looked at, and two between."""
    most = max(1, min(MAX_FRAMES, MAX_ANIMATED_PIXELS // (image.width * image.height)))
    count = _count_frames(image, most)
    places = sorted({round(part * (count - 1) / (KEY_FRAMES - 1)) for part in range(KEY_FRAMES)})
    frames = []
    for place in places:
        image.seek(place)
        frames.append(_normalize_frame(image))
    return frames


def _count_frames(image: Image.Image, max_frames: int) -> int:
    """How many frames there are, counted up to `most`: a header may say anything."""
    for place in range(1, max_frames):
        try:
            image.seek(place)
        except EOFError:
            return place
    return max_frames


def _normalize_frame(image: Image.Image) -> Image.Image:
    """A new RGB or RGBA image with no more than the pixels of this one, at most 1,024 a side."""
    turned = ImageOps.exif_transpose(_convert_to_8bit(image))
    picture = turned.convert("RGBA" if turned.has_transparency_data else "RGB")
    picture.thumbnail((MAX_STORED_SIDE, MAX_STORED_SIDE), Image.Resampling.BICUBIC)
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema()[0] == 255:
        picture = picture.convert("RGB")
    clean = Image.new(picture.mode, picture.size)
    clean.paste(picture)
    return clean


def _convert_to_8bit(image: Image.Image) -> Image.Image:
    """Greys of 16 bits are scaled: Pillow would cut them off at 255."""
    if not image.mode.startswith("I"):
        return image
    grey = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    grey.info = image.info
    return grey


def _encode_frames(frames: list[Image.Image]) -> EncodedImage:
    return _encode_animation(frames) if len(frames) > 1 else _encode_still(frames[0])


def _encode_still(image: Image.Image) -> EncodedImage:
    out = io.BytesIO()
    if image.mode == "RGB":
        image.save(out, "JPEG", quality=88)
        return EncodedImage(out.getvalue(), "image/jpeg")
    image.save(out, "WEBP", quality=85)
    return EncodedImage(out.getvalue(), "image/webp")


def _encode_animation(frames: list[Image.Image]) -> EncodedImage:
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
    return EncodedImage(out.getvalue(), "image/webp")


def _build_error(code: str, detail: str) -> Invalid:
    return Invalid.from_field("", code, detail)


def _build_pixel_limit_error() -> Invalid:
    return _build_error(
        "too_many_pixels",
        f"An image has at most {MAX_PIXELS // 1_000_000} million pixels and {MAX_SIDE:,} on a side.",
    )
