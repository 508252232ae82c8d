"""The evaluate_images command: whether images that look alike are of one class."""

from __future__ import annotations

import gzip
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from recommender.benchmarks.labelled_images import read_labelled_images
from recommender.types import DataError
from tests.drawings import drawing, picture_file

KINDS = ("discs", "stripes")
EACH = 6


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for kind in KINDS:
        (tmp_path / "shop" / kind).mkdir(parents=True)
        for number in range(EACH):
            (tmp_path / "shop" / kind / f"{number}.png").write_bytes(picture_file(kind, number))
    return tmp_path / "shop"


def idx(
    folder: Path, part: str, pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]], labels: list[int]
) -> Path:
    folder.mkdir(exist_ok=True)
    images = struct.pack(">IIII", 2051, *pixels.shape) + pixels.tobytes()
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, len(labels)) + bytes(labels))
    return folder


def test_drawings_of_a_kind_are_found_in_folders(folders: Path, tmp_path: Path) -> None:
    (folders / KINDS[0] / "broken.png").write_bytes(b"no image")
    (folders / KINDS[0] / "notes.txt").write_text("no image")
    out, figures = io.StringIO(), tmp_path / "figures.json"
    call_command("evaluate_images", data=folders, k=3, json=figures, stdout=out)
    written = json.loads(figures.read_text())
    assert (written["images"], written["unreadable"], written["precision@3"]) == (2 * EACH, 1, 1.0)
    assert written["by_chance"] == pytest.approx((EACH - 1) / (2 * EACH - 1))
    assert "1.0000 [1.0000, 1.0000] are of its class" in out.getvalue()


def test_idx_files_are_read_by_the_part_that_is_asked_for(tmp_path: Path) -> None:
    shots = [np.asarray(drawing(kind, number).convert("L")) for kind in KINDS for number in range(EACH)]
    folder = idx(tmp_path / "idx", "t10k", np.stack(shots), [0] * EACH + [1] * EACH)
    idx(folder, "train", np.stack(shots[:2]), [0, 1])
    images = read_labelled_images(folder, prefix="t10k")
    assert (len(images), images.read_frames(0, 32).shape) == (2 * EACH, (1, 32, 32, 3))
    out = io.StringIO()
    call_command("evaluate_images", data=folder, part="t10k", k=3, stdout=out)
    assert "each of 12" in out.getvalue()


def test_what_is_no_data_is_said_in_one_sentence(tmp_path: Path, folders: Path) -> None:
    short = idx(tmp_path / "short", "x", np.zeros((2, 4, 4), np.uint8), [0])
    cut = idx(tmp_path / "cut", "x", np.zeros((2, 4, 4), np.uint8), [0, 1])
    (cut / "x-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x02\0")
    mad = idx(tmp_path / "mad", "x", np.zeros((2, 4, 4), np.uint8), [0, 1])
    (mad / "x-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b no gzip")
    for folder, sentence in (
        (tmp_path / "nowhere", "There is no folder"),
        (folders / KINDS[0], "no images in folders of at least two classes"),
        (short, "2 images and x-labels-idx1-ubyte 1 labels"),
        (cut, "is not an IDX file, or is cut short"),
        (mad, "cannot be read"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("evaluate_images", data=folder)


def test_one_readable_image_is_not_enough(tmp_path: Path) -> None:
    for kind, content in zip(KINDS, (picture_file("discs", 1), b"no image"), strict=True):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "1.png").write_bytes(content)
    with pytest.raises(CommandError, match="Fewer than two"):
        call_command("evaluate_images", data=tmp_path)


def test_a_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no folder"):
        read_labelled_images(tmp_path / "x")
