"""From the bytes of a stored image to squares of pixels. Pillow only: no torch, no network."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from recommender.types import DataError

# Whose vectors are used, and how long they are: what is shown, and how it lies in the four quarters of the image. The
# network itself is in look_training: only workers load it.
ENCODER_NAME, POOLED_FEATURES, QUADRANT_FEATURES = "efficientnet-lite0-quarters", 1280, 192
EMBEDDING_WIDTH = POOLED_FEATURES + 4 * QUADRANT_FEATURES
Pixels = NDArray[np.uint8]
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MAX_PIXELS = 16_000_000
MAX_FRAMES = 4
_BACKGROUND = (255, 255, 255)


def load_square_frames(content: bytes, side: int) -> Pixels:
    """uint8 (frames, side, side, 3), at most four frames; the whole image on white, its proportions kept.

    Raises DataError for what is not an image, is cut short, or has more than 16 million pixels."""
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"The image has {image.width} x {image.height} pixels, more than are read.")
            return np.stack([np.asarray(_pad_to_square(frame, side)) for frame in _sample_frames(image)])
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as fault:
        if isinstance(fault, DataError):
            raise
        raise DataError("The image cannot be read.") from fault


def resize_pixels(pixels: Pixels, side: int) -> Pixels:
    """As `squares`, of uint8 (height, width) greys or (height, width, 3)."""
    return np.asarray(_pad_to_square(Image.fromarray(pixels), side))[None]


def _sample_frames(image: Image.Image) -> Iterator[Image.Image]:
    """Evenly chosen where there are more than are read."""
    count = int(getattr(image, "n_frames", 1))
    for place in np.unique(np.linspace(0, count - 1, MAX_FRAMES).round().astype(int)).tolist():
        image.seek(place)
        yield image


def _pad_to_square(image: Image.Image, side: int) -> Image.Image:
    picture = image.convert("RGBA")
    paper = Image.new("RGBA", picture.size, (*_BACKGROUND, 255))
    flat = Image.alpha_composite(paper, picture).convert("RGB")
    return ImageOps.pad(flat, (side, side), Image.Resampling.BICUBIC, color=_BACKGROUND)
