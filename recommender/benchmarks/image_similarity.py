"""Precision of image similarity: whether the nearest images of an image are of its class. Loads torch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TextIO

import numpy as np

from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.benchmarks.labelled_images import LabelledImages
from recommender.dataset import Dataset
from recommender.evaluation.metrics import bootstrap_interval
from recommender.features.image_encoder import INPUT_SIZE, EfficientNetEncoder
from recommender.types import DataError, Float32Array, Float64Array, Int64Array

BATCH_SIZE = 512


@dataclass(frozen=True)
class ImageBenchmarkResult:
    """precision@k of each readable image, shape (images,), and the precision of a random draw."""

    precision: Float64Array
    chance_precision: float
    n_images: int
    n_unreadable: int
    encode_seconds: float


def evaluate_image_similarity(
    images: LabelledImages,
    rows: Int64Array,
    encoder: EfficientNetEncoder,
    *,
    k: int,
    rng: np.random.Generator,
    progress: TextIO,
) -> ImageBenchmarkResult:
    """Encodes images and finds the k nearest of each.

    Args:
        images: all images with their classes.
        rows: numbers of the images to use.
        encoder: computes the embeddings.
        k: neighbours of each image.
        rng: passed to the fit of the similarity model.
        progress: receives a line for each batch and for each unreadable image.

    Raises:
        DataError: fewer than two images can be read.
    """
    started = time.perf_counter()
    embeddings, labels = _encode_images(images, rows, encoder, progress)
    seconds = time.perf_counter() - started
    if len(labels) < 2:
        raise DataError("Fewer than two of the images can be read.")
    model = VisualSimilarity()
    dataset = Dataset.from_sequences([], n_items=len(labels))
    model.fit(replace(dataset, image_embeddings=embeddings), rng)
    # Ceiling division: batches of at most BATCH_SIZE images.
    n_batches = -(-len(labels) // BATCH_SIZE)
    precision = []
    for batch in np.array_split(np.arange(len(labels)), n_batches):
        precision.append(_compute_precision(model, labels, batch, k))
    class_sizes = np.bincount(labels)[labels]
    # An image is not its own neighbour, hence the two subtractions.
    chance_precision = float(np.mean((class_sizes - 1) / (len(labels) - 1)))
    return ImageBenchmarkResult(
        precision=np.concatenate(precision),
        chance_precision=chance_precision,
        n_images=len(labels),
        n_unreadable=len(rows) - len(labels),
        encode_seconds=seconds,
    )


def _encode_images(
    images: LabelledImages,
    rows: Int64Array,
    encoder: EfficientNetEncoder,
    progress: TextIO,
) -> tuple[Float32Array, Int64Array]:
    """Embeddings (readable images, width) and their classes (readable images,)."""
    embeddings, labels = [], []
    for start in range(0, len(rows), BATCH_SIZE):
        frames, readable = [], []
        for number in rows[start : start + BATCH_SIZE].tolist():
            try:
                frames.append(images.read_frames(number, INPUT_SIZE))
                readable.append(number)
            except DataError as error:
                progress.write(f"image {number}: {error}\n")
        embeddings.append(encoder.encode_frames(frames))
        labels.append(images.labels[readable])
        progress.write(f"{min(start + BATCH_SIZE, len(rows)):,} of {len(rows):,} images\n")
    return np.concatenate(embeddings), np.concatenate(labels)


def _compute_precision(
    model: VisualSimilarity,
    labels: Int64Array,
    rows: Int64Array,
    k: int,
) -> Float64Array:
    """Fraction of each row's neighbours that are of its class, shape (rows,)."""
    neighbours = model.find_similar_items(rows.astype(np.int32), min(k, len(labels) - 1)).items
    # Item -1 marks a missing neighbour and counts as wrong.
    is_same_class = (labels[neighbours] == labels[rows][:, None]) & (neighbours >= 0)
    return np.asarray(is_same_class.mean(axis=1), dtype=np.float64)


def summarize_image_metrics(
    result: ImageBenchmarkResult,
    name: str,
    *,
    k: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """What `images --json` writes; the interval is a bootstrap over images."""
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


def format_image_metrics(metrics: Mapping[str, Any], k: int) -> str:
    """The metrics as one sentence."""
    low, high = metrics[f"precision@{k}_interval"]
    return (
        f"{metrics['data']}: of the {k} images nearest to each of {metrics['images']:,}, "
        f"{metrics[f'precision@{k}']:.4f} [{low:.4f}, {high:.4f}] are of its class (at random "
        f"{metrics['by_chance']:.4f}); {metrics['unreadable']:,} cannot be read; "
        f"{metrics['ms_per_image']:.1f} ms an image."
    )
