"""Benchmark `cost`: time and memory of every model as events grow, and as the catalogue grows."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from lepton_platform.bench.measure import BenchMetrics, MessageCallback
from lepton_platform.env import BASE_DIR

EVENTS = 200_000
EVENT_MULTIPLES = (1, 2, 4, 8)
CATALOGUE_SIZES = (12_000, 50_000, 200_000)
# The models of the training profiles.
MODELS = ("popularity", "transitions", "item_neighbours", "content", "ease", "sequence", "ensemble")
TIMEOUT_SECONDS = 4 * 3600


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options that only this benchmark has."""
    parser.add_argument(
        "--models",
        type=_parse_names,
        default=MODELS,
        help="for cost: names with commas between",
    )
    parser.add_argument(
        "--event-multiples",
        type=_parse_numbers,
        default=EVENT_MULTIPLES,
        help="for cost: multiples of --events",
    )
    parser.add_argument(
        "--items",
        type=_parse_numbers,
        default=CATALOGUE_SIZES,
        help="for cost: sizes of the catalogue",
    )
    parser.add_argument("--profile", choices=["fast", "full"], default="fast", help="for cost")


def measure_scaling(options: dict[str, Any], on_message: MessageCallback) -> BenchMetrics:
    """Measures each model at several numbers of events, then at several catalogue sizes.

    At larger catalogues the number of events an item is that of the smallest.

    Args:
        options: values of `add_arguments`, and `events` (None for the default).
        on_message: receives one line for each measurement.

    Returns:
        Metrics named `model.events.items.metric`, and `model.*_exponent` of the growth with events.

    Raises:
        RuntimeError: a measurement fails.
    """
    events, min_items = options["events"] or EVENTS, min(options["items"])
    profile = options["profile"]
    metrics: BenchMetrics = {"events": events, "profile": profile}
    for model in options["models"]:
        rows = []
        for multiple in options["event_multiples"]:
            rows.append(_measure_model(model, events * multiple, min_items, profile, metrics, on_message))
        # An exponent needs two points.
        if len(rows) > 1:
            for name, exponent in _fit_exponents(rows).items():
                metrics[f"{model}.{name}"] = exponent
        for items in options["items"]:
            if items != min_items:
                _measure_model(model, events * items // min_items, items, profile, metrics, on_message)
    return metrics


def _fit_exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    from recommender.benchmarks.scaling import fit_scaling_exponents  # noqa: PLC0415 - loads torch, which no other bench needs

    return fit_scaling_exponents(rows)


def _measure_model(
    model: str,
    events: int,
    items: int,
    profile: str,
    metrics: BenchMetrics,
    on_message: MessageCallback,
) -> dict[str, Any]:
    """Measures once, adds the row to `metrics` and returns it.

    Each measurement runs in a process of its own, because the peak memory of a process never falls.
    """
    arguments = [model, str(events), str(items), "--profile", profile]
    completed = subprocess.run(
        [sys.executable, "-m", "recommender.benchmarks", "scaling", *arguments],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    if completed.returncode:
        error_lines = completed.stderr.strip().splitlines() or [f"status {completed.returncode}"]
        raise RuntimeError(f"{model} at {events:,} events and {items:,} items: {error_lines[-1]}")
    # Libraries may print warnings before the result.
    row: dict[str, Any] = json.loads(completed.stdout.splitlines()[-1])
    on_message(
        f"{model:16} {events:>10,} events {items:>8,} items  {row['seconds']:9.2f} s  {row['peak_mib']:7,} MiB"
        f"  {row['file_bytes'] / 2**20:7.1f} MiB file  {row['score_one_ms']:7.3f} ms"
    )
    for name, value in row.items():
        metrics[f"{model}.{events}.{items}.{name}"] = value
    return row


def _parse_names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ArgumentTypeError("name at least one model")
    return names


def _parse_numbers(text: str) -> tuple[int, ...]:
    """Positive integers with commas between, ascending."""
    numbers = sorted(int(number) for number in text.split(","))
    if numbers[0] < 1:
        raise ArgumentTypeError("must be at least 1")
    return tuple(numbers)
