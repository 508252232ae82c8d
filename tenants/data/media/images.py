"""Re-encoding of uploaded images: decoded within limits, and stored without metadata.

The uploaded bytes are never stored, so hidden content of a file can't reach a browser.
"""

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
# Limits for animations: the frame count in a header is not trusted.
MAX_FRAMES, MAX_ANIMATED_PIXELS = 200, 32_000_000
FRAME_MILLISECONDS = 1_000
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
# Accepted content types and their maximum size.
MAX_BYTES_BY_TYPE = {
    **dict.fromkeys(FORMATS, MAX_BYTES),
    **dict.fromkeys(videos.CONTENT_TYPES, videos.MAX_BYTES),
}
# Pillow's format -> name in messages. MPO is a JPEG with several images, as some cameras write it.
_FORMAT_NAMES = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WebP", "GIF": "GIF"}
# Decoding an image takes up to 130 MB, so at most two are decoded at once in a process.
_DECODE_SLOTS = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image as it is stored and shown: at most 1,024 pixels on a side."""

    content: bytes
    content_type: str


def reencode_image(content: bytes, content_type: str) -> EncodedImage:
    """Decodes an upload and encodes it again: opaque images as JPEG, transparent and animated ones as WebP.

    The EXIF orientation is applied and all metadata dropped. Animations and videos are reduced to four frames.

    Raises:
        TooLarge: The upload has too many bytes.
        Invalid: It is not an image of the declared type, is damaged, or has too many pixels.
        QuotaExceeded: Another video is being decoded on this machine.
    """
    if content_type in videos.CONTENT_TYPES:
        frames = videos.extract_key_frames(content, content_type, count=KEY_FRAMES, side=MAX_STORED_SIDE)
        return _encode_frames(frames)
    if len(content) > MAX_BYTES:
        raise TooLarge(f"An image has at most {MAX_BYTES // MIB} MiB.")
    declared_format = FORMATS.get(content_type)
    if declared_format is None:
        detail = "Send PNG, JPEG, WebP, GIF, MP4 or WebM with the matching Content-Type."
        raise _build_error("unsupported_image", detail)
    with _DECODE_SLOTS:
        try:
            return _decode_image(content, declared_format)
        except Invalid:
            raise
        except UnidentifiedImageError as error:
            raise _build_error("unsupported_image", "This is no PNG, JPEG, WebP or GIF image.") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _build_pixel_limit_error() from error
        except Exception as error:
            # Decoders raise many types for damaged or hostile input: struct.error, KeyError, EOFError and others.
            raise _build_error("broken_image", "The image is damaged or cut short.") from error


def _decode_image(content: bytes, expected_format: str) -> EncodedImage:
    with Image.open(io.BytesIO(content), formats=list(FORMATS.values())) as image:
        actual = _FORMAT_NAMES[image.format or expected_format]
        expected = _FORMAT_NAMES[expected_format]
        if actual != expected:
            detail = f"The Content-Type says {expected}, the image is {actual}."
            raise _build_error("image_type_mismatch", detail)
        if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
            raise _build_pixel_limit_error()
        # Lets the JPEG decoder scale down while it decodes; without effect for other formats.
        image.draft(image.mode, (MAX_STORED_SIDE, MAX_STORED_SIDE))
        if expected_format != "JPEG":
            return _encode_frames(_extract_key_frames(image))
        # Of an MPO file only the first image is used.
        return _encode_frames([_normalize_frame(image)])


def _extract_key_frames(image: Image.Image) -> list[Image.Image]:
    """Returns the first and the last examined frame and two evenly spaced frames between them; fewer if it has fewer."""
    max_frames = max(1, min(MAX_FRAMES, MAX_ANIMATED_PIXELS // (image.width * image.height)))
    last_position = _count_frames(image, max_frames) - 1
    positions = {round(index * last_position / (KEY_FRAMES - 1)) for index in range(KEY_FRAMES)}
    frames = []
    for position in sorted(positions):
        image.seek(position)
        frames.append(_normalize_frame(image))
    return frames


def _count_frames(image: Image.Image, max_frames: int) -> int:
    """Counts the frames by seeking, up to `max_frames`; the count in the header is not trusted."""
    for position in range(1, max_frames):
        try:
            image.seek(position)
        except EOFError:
            return position
    return max_frames


def _normalize_frame(image: Image.Image) -> Image.Image:
    """Returns a new upright RGB or RGBA image, at most 1,024 pixels on a side, without metadata."""
    upright = ImageOps.exif_transpose(_convert_to_8bit(image))
    frame = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    frame.thumbnail((MAX_STORED_SIDE, MAX_STORED_SIDE), Image.Resampling.BICUBIC)
    # An alpha channel whose minimum is 255 is fully opaque.
    if frame.mode == "RGBA" and frame.getchannel("A").getextrema()[0] == 255:
        frame = frame.convert("RGB")
    # Pasting copies pixels only; `frame.info` could hold EXIF data, comments or colour profiles.
    clean = Image.new(frame.mode, frame.size)
    clean.paste(frame)
    return clean


def _convert_to_8bit(image: Image.Image) -> Image.Image:
    """Scales 16-bit greyscale to 8 bits; Pillow's own conversion would clip it at 255."""
    if not image.mode.startswith("I"):
        return image
    grey = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    grey.info = image.info
    return grey


def _encode_frames(frames: list[Image.Image]) -> EncodedImage:
    if len(frames) > 1:
        return _encode_animation(frames)
    return _encode_still(frames[0])


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
