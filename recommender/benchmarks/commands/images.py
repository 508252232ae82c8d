"""`images`: precision of image similarity on images with a class. Loads torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TextIO

import numpy as np

from recommender.benchmarks.commands.options import (
    add_json_argument,
    parse_positive_int,
    require_parent_folder,
    write_json,
)
from recommender.benchmarks.image_similarity import (
    evaluate_image_similarity,
    format_image_metrics,
    summarize_image_metrics,
)
from recommender.benchmarks.labelled_images import read_labelled_images
from recommender.features.image_encoder import EfficientNetEncoder, ImageEncoderConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the image benchmark."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder of classes, or of IDX files",
    )
    parser.add_argument("--prefix", default="", help="prefix of the IDX files' names, e.g. t10k")
    parser.add_argument(
        "--max-images",
        type=parse_positive_int,
        help="size of a random sample of the images, drawn with --seed",
    )
    parser.add_argument("--k", type=parse_positive_int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--threads",
        type=int,
        default=0,
        help="0: all cores",
    )
    add_json_argument(parser)


def run_command(
    options: argparse.Namespace,
    *,
    out: TextIO,
    progress: TextIO,
) -> None:
    """Prints precision@k with its confidence interval. Raises DataError."""
    require_parent_folder(options.json)
    images = read_labelled_images(options.data, prefix=options.prefix)
    rng = np.random.default_rng(options.seed)
    rows = np.arange(len(images))
    if options.max_images and options.max_images < len(images):
        rows = np.sort(rng.choice(len(images), options.max_images, replace=False))
    encoder = EfficientNetEncoder(ImageEncoderConfig(threads=options.threads))
    result = evaluate_image_similarity(
        images,
        rows,
        encoder,
        k=options.k,
        rng=rng,
        progress=progress,
    )
    metrics = summarize_image_metrics(
        result,
        images.name,
        k=options.k,
        rng=rng,
    )
    out.write(format_image_metrics(metrics, options.k) + "\n")
    write_json(options.json, metrics)
