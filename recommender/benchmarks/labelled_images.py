"""Images with a class, for measuring: a folder of classes, or a pair of IDX files."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recommender.features.images import Pixels, load_square_frames, resize_pixels
from recommender.types import DataError, Int64Array

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif"}
_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049
MAX_IMAGES = 200_000


@dataclass(frozen=True)
class LabelledImages:
    """`label[i]` is the class of image i; `read(i, side)` gives uint8 (frames, side, side, 3) or raises DataError."""

    name: str
    labels: Int64Array
    read_frames: Callable[[int, int], Pixels]

    def __len__(self) -> int:
        return len(self.labels)


def read_labelled_images(path: Path, *, prefix: str = "") -> LabelledImages:
    """A folder with one folder of images for each class, or one with IDX files of images and labels.

    `part` chooses among several pairs by the beginning of their names ("t10k"). Raises DataError."""
    if not path.is_dir():
        raise DataError(f"There is no folder {path}.")
    if pairs := sorted(path.glob(f"{prefix}*images-idx3-ubyte*")):
        return _load_idx_pair(pairs[0])
    return _load_class_folders(path)


def _load_idx_pair(images_path: Path) -> LabelledImages:
    """The format of MNIST: a magic number and sizes, big-endian, then bytes (LeCun, Cortes and Burges 1998)."""
    plain = images_path.with_name(images_path.name.removesuffix(".gz").replace("images-idx3", "labels-idx1"))
    labels = plain if plain.is_file() else plain.with_name(plain.name + ".gz")
    pixels, label = _read_idx_file(images_path, _IMAGES_MAGIC, 3), _read_idx_file(labels, _LABELS_MAGIC, 1)
    if len(pixels) != len(label):
        raise DataError(
            f"{images_path.name} holds {len(pixels)} images and {labels.name} {len(label)} labels."
        )
    return LabelledImages(
        images_path.name, label.astype(np.int64), lambda i, side: resize_pixels(pixels[i], side)
    )


def _read_idx_file(path: Path, magic: int, n_axes: int) -> Pixels:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(f"{path.name} cannot be read.") from fault
    head = 4 * (n_axes + 1)
    numbers = np.frombuffer(content[:head], ">u4").astype(np.int64) if len(content) >= head else np.zeros(1)
    if numbers[0] != magic or len(content) - head != int(np.prod(numbers[1:])):
        raise DataError(f"{path.name} is not an IDX file, or is cut short.")
    return np.frombuffer(content, np.uint8, offset=head).reshape(numbers[1:].astype(int))


def _load_class_folders(path: Path) -> LabelledImages:
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir())
    files = [
        (file, number)
        for number, folder in enumerate(classes)
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in IMAGE_SUFFIXES
    ]
    if len({number for _, number in files}) < 2:
        raise DataError(f"{path} holds no images in folders of at least two classes, and no IDX files.")
    if len(files) > MAX_IMAGES:
        raise DataError(f"{path} holds {len(files)} images; at most {MAX_IMAGES} are compared.")
    label = np.array([number for _, number in files], np.int64)
    return LabelledImages(
        path.name, label, lambda i, side: load_square_frames(files[i][0].read_bytes(), side)
    )
