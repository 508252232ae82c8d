"""The evaluate_images command: whether images that look alike are of one kind. Loads torch."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from recommender.algorithms.look import Look
from recommender.dataset import Dataset
from recommender.evaluation.command import Writer, positive, require_folder
from recommender.evaluation.labelled_images import LabelledImages, read_labelled_images
from recommender.evaluation.metrics import bootstrap
from recommender.features.look_training import SIDE, LookConfig, LookEncoder
from recommender.types import DataError, Doubles, Floats, Longs

ROWS = 512


@dataclass(frozen=True)
class Found:
    """precision of each readable image at k by what is served, and what a drawing at random would reach."""

    precision: Doubles
    by_chance: float
    images: int
    unreadable: int
    encode_seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder of classes, or of IDX files")
    parser.add_argument("--part", default="", help="beginning of the IDX files' names, e.g. t10k")
    parser.add_argument("--most", type=positive, help="take so many of the images, drawn by --seed")
    parser.add_argument("--k", type=positive, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--json", type=Path, help="where to write the figures")


def run(options: argparse.Namespace, *, out: Writer, progress: TextIO) -> None:
    """Prints precision@k with its interval. Raises DataError for what cannot be read."""
    require_folder(options.json)
    images = read_labelled_images(options.data, part=options.part)
    rng = np.random.default_rng(options.seed)
    chosen = np.arange(len(images))
    if options.most and options.most < len(images):
        chosen = np.sort(rng.choice(len(images), options.most, replace=False))
    encoder = LookEncoder(LookConfig(threads=options.threads))
    found = measure(images, chosen, encoder, k=options.k, rng=rng, progress=progress)
    figures = _figures(found, images.name, options.k, rng)
    out.write(_sentence(figures, options.k) + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(
    images: LabelledImages,
    chosen: Longs,
    encoder: LookEncoder,
    *,
    k: int,
    rng: np.random.Generator,
    progress: TextIO,
) -> Found:
    """Raises DataError where fewer than two images can be read."""
    started = time.perf_counter()
    looks, label = _encoded(images, chosen, encoder, progress)
    seconds = time.perf_counter() - started
    if len(label) < 2:
        raise DataError("Fewer than two of the images can be read.")
    member = Look()
    member.fit(replace(Dataset.from_sequences([], items=len(label)), look=looks), rng)
    precision = np.concatenate(
        [
            _precision(member, label, part, k)
            for part in np.array_split(np.arange(len(label)), -(-len(label) // ROWS))
        ]
    )
    sizes = np.bincount(label)[label]
    by_chance = float(np.mean((sizes - 1) / (len(label) - 1)))
    return Found(precision, by_chance, len(label), len(chosen) - len(label), seconds)


def _encoded(
    images: LabelledImages, chosen: Longs, encoder: LookEncoder, progress: TextIO
) -> tuple[Floats, Longs]:
    vectors, labels = [], []
    for start in range(0, len(chosen), ROWS):
        pictures, kept = [], []
        for number in chosen[start : start + ROWS].tolist():
            try:
                pictures.append(images.read(number, SIDE))
                kept.append(number)
            except DataError as fault:
                progress.write(f"image {number}: {fault}\n")
        vectors.append(encoder.of_squares(pictures))
        labels.append(images.label[kept])
        progress.write(f"{min(start + ROWS, len(chosen)):,} of {len(chosen):,} images\n")
    return np.concatenate(vectors), np.concatenate(labels)


def _precision(member: Look, label: Longs, rows: Longs, k: int) -> Doubles:
    nearest = member.similar_items(rows.astype(np.int32), min(k, len(label) - 1)).items
    same = (label[nearest] == label[rows][:, None]) & (nearest >= 0)
    return np.asarray(same.mean(axis=1), dtype=np.float64)


def _figures(found: Found, name: str, k: int, rng: np.random.Generator) -> dict[str, Any]:
    interval = bootstrap(found.precision, rng)
    return {
        "data": name,
        "images": found.images,
        "unreadable": found.unreadable,
        f"precision@{k}": interval.mean,
        f"precision@{k}_interval": [interval.low, interval.high],
        "by_chance": found.by_chance,
        "milliseconds_an_image": 1000 * found.encode_seconds / max(found.images, 1),
    }


def _sentence(figures: dict[str, Any], k: int) -> str:
    low, high = figures[f"precision@{k}_interval"]
    return (
        f"{figures['data']}: of the {k} images nearest to each of {figures['images']:,}, "
        f"{figures[f'precision@{k}']:.4f} [{low:.4f}, {high:.4f}] are of its class (at random "
        f"{figures['by_chance']:.4f}); {figures['unreadable']:,} cannot be read; "
        f"{figures['milliseconds_an_image']:.1f} ms an image."
    )
