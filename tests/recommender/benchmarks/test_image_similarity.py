"""`images`: whether the nearest images of an image are of its class."""

from __future__ import annotations

import gzip
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from recommender.benchmarks.__main__ import run_benchmark
from recommender.benchmarks.labelled_images import read_labelled_images
from recommender.types import DataError
from tests.drawings import draw_image, make_image_file

KINDS = ("discs", "stripes")
IMAGES_PER_KIND = 6


def run_images(folder: Path, *options: object) -> str:
    out = io.StringIO()
    arguments = ["images", "--data", str(folder), *map(str, options)]
    run_benchmark(arguments, out=out, progress=io.StringIO())
    return out.getvalue()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for kind in KINDS:
        (tmp_path / "shop" / kind).mkdir(parents=True)
        for number in range(IMAGES_PER_KIND):
            (tmp_path / "shop" / kind / f"{number}.png").write_bytes(make_image_file(kind, number))
    return tmp_path / "shop"


def write_idx_files(
    folder: Path, prefix: str, pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]], labels: list[int]
) -> Path:
    folder.mkdir(exist_ok=True)
    images = struct.pack(">IIII", 2051, *pixels.shape) + pixels.tobytes()
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(
        struct.pack(">II", 2049, len(labels)) + bytes(labels)
    )
    return folder


def test_drawings_of_a_class_are_neighbours(folders: Path, tmp_path: Path) -> None:
    (folders / KINDS[0] / "broken.png").write_bytes(b"no image")
    (folders / KINDS[0] / "notes.txt").write_text("no image")
    json_path = tmp_path / "metrics.json"
    sentence = run_images(folders, "--k", 3, "--json", json_path)
    metrics = json.loads(json_path.read_text())
    assert (metrics["images"], metrics["unreadable"], metrics["precision@3"]) == (2 * IMAGES_PER_KIND, 1, 1.0)
    assert metrics["by_chance"] == pytest.approx((IMAGES_PER_KIND - 1) / (2 * IMAGES_PER_KIND - 1))
    assert "1.0000 [1.0000, 1.0000] are of its class" in sentence


def test_idx_files_are_selected_by_their_prefix(tmp_path: Path) -> None:
    shots = [
        np.asarray(draw_image(kind, number).convert("L"))
        for kind in KINDS
        for number in range(IMAGES_PER_KIND)
    ]
    folder = write_idx_files(
        tmp_path / "idx", "t10k", np.stack(shots), [0] * IMAGES_PER_KIND + [1] * IMAGES_PER_KIND
    )
    write_idx_files(folder, "train", np.stack(shots[:2]), [0, 1])
    images = read_labelled_images(folder, prefix="t10k")
    assert (len(images), images.read_frames(0, 32).shape) == (2 * IMAGES_PER_KIND, (1, 32, 32, 3))
    assert "each of 12" in run_images(folder, "--prefix", "t10k", "--k", 3)
    assert "each of 4" in run_images(folder, "--prefix", "t10k", "--k", 1, "--max-images", 4)


def test_invalid_folders_are_refused_with_a_sentence(tmp_path: Path, folders: Path) -> None:
    mismatched = write_idx_files(tmp_path / "short", "x", np.zeros((2, 4, 4), np.uint8), [0])
    truncated = write_idx_files(tmp_path / "cut", "x", np.zeros((2, 4, 4), np.uint8), [0, 1])
    (truncated / "x-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x02\0")
    no_gzip = write_idx_files(tmp_path / "mad", "x", np.zeros((2, 4, 4), np.uint8), [0, 1])
    (no_gzip / "x-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b no gzip")
    for folder, sentence in (
        (tmp_path / "nowhere", "There is no folder"),
        (folders / KINDS[0], "no images in folders of at least two classes"),
        (mismatched, "2 images and x-labels-idx1-ubyte 1 labels"),
        (truncated, "is not an IDX file, or is truncated"),
        (no_gzip, "cannot be read"),
    ):
        with pytest.raises(DataError, match=sentence):
            run_images(folder)


def test_one_readable_image_is_not_enough(tmp_path: Path) -> None:
    for kind, content in zip(KINDS, (make_image_file("discs", 1), b"no image"), strict=True):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "1.png").write_bytes(content)
    with pytest.raises(DataError, match="Fewer than two"):
        run_images(tmp_path)


def test_a_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no folder"):
        read_labelled_images(tmp_path / "x")
