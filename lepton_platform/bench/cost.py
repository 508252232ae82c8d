"""The cost curve: time and memory of every member at more and more events, and at more and more items."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from lepton_platform.bench.measure import BenchMetrics, MessageCallback
from lepton_platform.env import BASE_DIR

EVENTS, ITEMS = 200_000, 12_000
EVENT_MULTIPLES = (1, 2, 4, 8)
CATALOGUE_SIZES = (12_000, 50_000, 200_000)
# What the profiles serve; the first, for its process pays for imports, is measured like the others.
MODELS = ("popularity", "transitions", "item_neighbours", "content", "ease", "sequence", "ensemble")
DEADLINE_SECONDS = 4 * 3600


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--members", type=_parse_names, default=MODELS, help="for cost: names with commas between"
    )
    parser.add_argument(
        "--times", type=_parse_numbers, default=EVENT_MULTIPLES, help="for cost: multiples of --events"
    )
    parser.add_argument(
        "--items", type=_parse_numbers, default=CATALOGUE_SIZES, help="for cost: sizes of the catalogue"
    )
    parser.add_argument("--profile", choices=["fast", "full"], default="fast", help="for cost")


def measure_scaling(options: dict[str, Any], on_message: MessageCallback) -> BenchMetrics:
    """Flat figures, `member.size.what`. At more items there are as many events an item as at the fewest."""
    events, fewest = options["events"] or EVENTS, min(options["items"])
    figures: BenchMetrics = {"events": events, "profile": options["profile"]}
    for member in options["members"]:
        grown = [
            _measure_model(member, events * times, fewest, options["profile"], figures, on_message)
            for times in options["times"]
        ]
        if len(grown) > 1:
            figures |= {f"{member}.{name}": value for name, value in _fit_exponents(grown).items()}
        for items in options["items"]:
            if items != fewest:
                _measure_model(
                    member, events * items // fewest, items, options["profile"], figures, on_message
                )
    return figures


def _fit_exponents(rows: list[dict[str, Any]]) -> dict[str, float]:
    from recommender.benchmarks.scaling import fit_scaling_exponents  # noqa: PLC0415 - loads torch, which no other bench needs

    return fit_scaling_exponents(rows)


def _measure_model(
    model: str, events: int, items: int, profile: str, metrics: BenchMetrics, on_message: MessageCallback
) -> dict[str, Any]:
    """One measurement in a process of its own, for a peak of memory can't be taken back. Raises RuntimeError."""
    asked = [model, str(events), str(items), "--profile", profile]
    done = subprocess.run(
        [sys.executable, "-m", "recommender.benchmarks", "scaling", *asked],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise RuntimeError(f"{model} at {events:,} events and {items:,} items: {last[0]}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    on_message(
        f"{model:16} {events:>10,} events {items:>8,} items  {row['seconds']:9.2f} s  {row['peak_mib']:7,} MiB"
        f"  {row['file_bytes'] / 2**20:7.1f} MiB served  {row['score_one_ms']:7.3f} ms"
    )
    metrics |= {f"{model}.{events}.{items}.{name}": value for name, value in row.items()}
    return row


def _parse_names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise ArgumentTypeError("name at least one member")
    return names


def _parse_numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(","))
    if min(numbers) < 1:
        raise ArgumentTypeError("must be at least 1")
    return tuple(sorted(numbers))
