"""Images with a class: a folder of class folders, or a pair of IDX files."""

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
    """labels[i] is the class of image i; read_frames(i, side) returns uint8 (frames, side, side, 3) or raises DataError."""

    name: str
    labels: Int64Array
    read_frames: Callable[[int, int], Pixels]

    def __len__(self) -> int:
        return len(self.labels)


def read_labelled_images(path: Path, *, prefix: str = "") -> LabelledImages:
    """Reads a folder of class folders, or a folder with IDX files of images and labels.

    Args:
        path: the folder.
        prefix: selects one of several IDX pairs by the prefix of its names, for example "t10k".

    Raises:
        DataError: there is no such folder, or its content is in neither format.
    """
    if not path.is_dir():
        raise DataError(f"There is no folder {path}.")
    image_files = sorted(path.glob(f"{prefix}*images-idx3-ubyte*"))
    if image_files:
        return _load_idx_pair(image_files[0])
    return _load_class_folders(path)


def _load_idx_pair(images_path: Path) -> LabelledImages:
    """The format of MNIST: a magic number and sizes, big-endian, then bytes (LeCun, Cortes and Burges 1998)."""
    labels_name = images_path.name.removesuffix(".gz").replace("images-idx3", "labels-idx1")
    labels_path = images_path.with_name(labels_name)
    if not labels_path.is_file():
        labels_path = images_path.with_name(labels_name + ".gz")
    pixels = _read_idx_file(images_path, _IMAGES_MAGIC, n_axes=3)
    labels = _read_idx_file(labels_path, _LABELS_MAGIC, n_axes=1)
    if len(pixels) != len(labels):
        raise DataError(
            f"{images_path.name} holds {len(pixels)} images and {labels_path.name} {len(labels)} labels."
        )

    def read_frames(number: int, side: int) -> Pixels:
        return resize_pixels(pixels[number], side)

    return LabelledImages(images_path.name, labels.astype(np.int64), read_frames)


def _read_idx_file(
    path: Path,
    magic: int,
    *,
    n_axes: int,
) -> Pixels:
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read.") from error
    # The header: the magic number and the length of each axis, 4 bytes each.
    header_size = 4 * (n_axes + 1)
    header = np.zeros(1)
    if len(content) >= header_size:
        header = np.frombuffer(content[:header_size], ">u4").astype(np.int64)
    if header[0] != magic or len(content) - header_size != int(np.prod(header[1:])):
        raise DataError(f"{path.name} is not an IDX file, or is truncated.")
    shape = header[1:].astype(int)
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def _load_class_folders(path: Path) -> LabelledImages:
    class_folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    files: list[Path] = []
    labels: list[int] = []
    for number, folder in enumerate(class_folders):
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                files.append(file)
                labels.append(number)
    if len(set(labels)) < 2:
        raise DataError(f"{path} holds no images in folders of at least two classes, and no IDX files.")
    if len(files) > MAX_IMAGES:
        raise DataError(f"{path} holds {len(files)} images; the maximum is {MAX_IMAGES}.")

    def read_frames(number: int, side: int) -> Pixels:
        return load_square_frames(files[number].read_bytes(), side)

    return LabelledImages(path.name, np.array(labels, np.int64), read_frames)
