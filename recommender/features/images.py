"""Decodes stored images to squares of pixels. Needs Pillow only: no torch, no network."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from recommender.types import DataError

# Name and widths of the embeddings. They are defined here because the encoder itself loads torch: the pooled features
# describe the content of the image, the quadrant features where it lies.
ENCODER_NAME = "efficientnet-lite0-quarters"
POOLED_FEATURES, QUADRANT_FEATURES = 1280, 192
EMBEDDING_WIDTH = POOLED_FEATURES + 4 * QUADRANT_FEATURES
Pixels = NDArray[np.uint8]
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MAX_PIXELS = 16_000_000
MAX_FRAMES = 4
_BACKGROUND = (255, 255, 255)


def load_square_frames(content: bytes, side: int) -> Pixels:
    """Decodes an image to uint8 (frames, side, side, 3), with at most four evenly spaced frames of an animation.

    The image is scaled with its proportions and padded with white. Raises DataError for content that is no image, is
    truncated, or has more than 16 million pixels.
    """
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"The image has {image.width} x {image.height} pixels, more than are read.")
            frames = [np.asarray(_pad_to_square(frame, side)) for frame in _sample_frames(image)]
            return np.stack(frames)
    except DataError:
        # DataError is a ValueError, which the next clause would catch.
        raise
    except (OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError) as error:
        raise DataError("The image cannot be read.") from error


def resize_pixels(pixels: Pixels, side: int) -> Pixels:
    """uint8 (1, side, side, 3) from grey values (height, width) or colours (height, width, 3)."""
    return np.asarray(_pad_to_square(Image.fromarray(pixels), side))[None]


def _sample_frames(image: Image.Image) -> Iterator[Image.Image]:
    n_frames = int(getattr(image, "n_frames", 1))
    positions = np.linspace(0, n_frames - 1, MAX_FRAMES).round().astype(int)
    # With fewer frames than MAX_FRAMES, positions occur more than once.
    for position in np.unique(positions).tolist():
        image.seek(position)
        yield image


def _pad_to_square(image: Image.Image, side: int) -> Image.Image:
    with_alpha = image.convert("RGBA")
    background = Image.new("RGBA", with_alpha.size, (*_BACKGROUND, 255))
    opaque = Image.alpha_composite(background, with_alpha).convert("RGB")
    return ImageOps.pad(opaque, (side, side), Image.Resampling.BICUBIC, color=_BACKGROUND)
