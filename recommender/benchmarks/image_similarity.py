"""The evaluate_images command: whether images that look alike are of one kind. Loads torch."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.benchmarks.cli import CommandOutput, parse_positive_int, require_parent_folder
from recommender.benchmarks.labelled_images import LabelledImages, read_labelled_images
from recommender.dataset import Dataset
from recommender.evaluation.metrics import bootstrap_interval
from recommender.features.image_encoder import INPUT_SIZE, EfficientNetEncoder, ImageEncoderConfig
from recommender.types import DataError, Float32Array, Float64Array, Int64Array

BATCH_SIZE = 512


@dataclass(frozen=True)
class ImageBenchmarkResult:
    """precision of each readable image at k by what is served, and what a drawing at random would reach."""

    precision: Float64Array
    chance_precision: float
    n_images: int
    n_unreadable: int
    encode_seconds: float


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder of classes, or of IDX files")
    parser.add_argument("--part", default="", help="beginning of the IDX files' names, e.g. t10k")
    parser.add_argument("--most", type=parse_positive_int, help="take so many of the images, drawn by --seed")
    parser.add_argument("--k", type=parse_positive_int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--json", type=Path, help="where to write the figures")


def run_image_evaluation(options: argparse.Namespace, *, out: CommandOutput, progress: TextIO) -> None:
    """Prints precision@k with its interval. Raises DataError for what cannot be read."""
    require_parent_folder(options.json)
    images = read_labelled_images(options.data, prefix=options.part)
    rng = np.random.default_rng(options.seed)
    chosen = np.arange(len(images))
    if options.most and options.most < len(images):
        chosen = np.sort(rng.choice(len(images), options.most, replace=False))
    encoder = EfficientNetEncoder(ImageEncoderConfig(threads=options.threads))
    found = evaluate_image_similarity(images, chosen, encoder, k=options.k, rng=rng, progress=progress)
    figures = _summarize_result(found, images.name, options.k, rng)
    out.write(_format_result(figures, options.k) + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def evaluate_image_similarity(
    images: LabelledImages,
    rows: Int64Array,
    encoder: EfficientNetEncoder,
    *,
    k: int,
    rng: np.random.Generator,
    progress: TextIO,
) -> ImageBenchmarkResult:
    """Raises DataError where fewer than two images can be read."""
    started = time.perf_counter()
    looks, label = _encode_images(images, rows, encoder, progress)
    seconds = time.perf_counter() - started
    if len(label) < 2:
        raise DataError("Fewer than two of the images can be read.")
    member = VisualSimilarity()
    member.fit(replace(Dataset.from_sequences([], n_items=len(label)), image_embeddings=looks), rng)
    precision = np.concatenate(
        [
            _compute_precision(member, label, part, k)
            for part in np.array_split(np.arange(len(label)), -(-len(label) // BATCH_SIZE))
        ]
    )
    sizes = np.bincount(label)[label]
    by_chance = float(np.mean((sizes - 1) / (len(label) - 1)))
    return ImageBenchmarkResult(precision, by_chance, len(label), len(rows) - len(label), seconds)


def _encode_images(
    images: LabelledImages, rows: Int64Array, encoder: EfficientNetEncoder, progress: TextIO
) -> tuple[Float32Array, Int64Array]:
    vectors, labels = [], []
    for start in range(0, len(rows), BATCH_SIZE):
        pictures, kept = [], []
        for number in rows[start : start + BATCH_SIZE].tolist():
            try:
                pictures.append(images.read_frames(number, INPUT_SIZE))
                kept.append(number)
            except DataError as fault:
                progress.write(f"image {number}: {fault}\n")
        vectors.append(encoder.encode_frames(pictures))
        labels.append(images.labels[kept])
        progress.write(f"{min(start + BATCH_SIZE, len(rows)):,} of {len(rows):,} images\n")
    return np.concatenate(vectors), np.concatenate(labels)


def _compute_precision(model: VisualSimilarity, label: Int64Array, rows: Int64Array, k: int) -> Float64Array:
    nearest = model.find_similar_items(rows.astype(np.int32), min(k, len(label) - 1)).items
    same = (label[nearest] == label[rows][:, None]) & (nearest >= 0)
    return np.asarray(same.mean(axis=1), dtype=np.float64)


def _summarize_result(
    result: ImageBenchmarkResult, name: str, k: int, rng: np.random.Generator
) -> dict[str, Any]:
    interval = bootstrap_interval(result.precision, rng)
    return {
        "data": name,
        "images": result.n_images,
        "unreadable": result.n_unreadable,
        f"precision@{k}": interval.mean,
        f"precision@{k}_interval": [interval.low, interval.high],
        "by_chance": result.chance_precision,
        "ms_per_image": 1000 * result.encode_seconds / max(result.n_images, 1),
    }


def _format_result(metrics: dict[str, Any], k: int) -> str:
    low, high = metrics[f"precision@{k}_interval"]
    return (
        f"{metrics['data']}: of the {k} images nearest to each of {metrics['images']:,}, "
        f"{metrics[f'precision@{k}']:.4f} [{low:.4f}, {high:.4f}] are of its class (at random "
        f"{metrics['by_chance']:.4f}); {metrics['unreadable']:,} cannot be read; "
        f"{metrics['ms_per_image']:.1f} ms an image."
    )
