"""The evaluate_language command: what is measured follows from the files that lie in the folder. Needs no database."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recommender.language.aspect_measuring import measure_aspects
from recommender.language.chinese_measuring import Learning, measure_chinese
from recommender.language.corpora import Labelled, read_table
from recommender.language.encoders import MULTILINGUAL, Multilingual
from recommender.language.intent import labelled
from recommender.language.intent_measuring import cross_validated
from recommender.language.measuring import measure, reviews_a_second
from recommender.language.network import ReviewNetwork
from recommender.language.sentiment import shipped_head
from recommender.language.sentiment_training import config_for, fit_pair
from recommender.types import Bools, DataError

TASKS = ("sentiment", "aspects", "intents")
CHINESE = {
    "takeaway": "waimai_10k.csv.gz",
    "hotel": "ChnSentiCorp_htl_all.csv.gz",
    "shopping": "online_shopping_10_cats.zip",
}


class Writer(Protocol):
    """A stream, or what Django gives a command for one."""

    def write(self, text: str, /) -> Any: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="folders with any of sst2_train.tsv.gz and sst2_dev.tsv.gz, product_reviews_1.zip and product_reviews_2.zip, "
        + ", ".join(CHINESE.values()),
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seed", type=int, default=0, help="of the held-out tenth")
    parser.add_argument(
        "--languages", nargs="+", choices=["en", "zh"], default=["en", "zh"], help="of sentiment"
    )
    parser.add_argument(
        "--network",
        nargs="?",
        const=MULTILINGUAL,
        metavar="ENCODER",
        help="sentiment with a network, tuned from this encoder as train_sentiment does: minutes for a set",
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")


def run(options: argparse.Namespace, *, out: Writer) -> None:
    """Raises DataError for what cannot be read, and when there is nothing to measure."""
    if options.json and not options.json.resolve().parent.is_dir():
        raise DataError(f"There is no folder {options.json.parent} for the figures.")
    found: dict[str, Mapping[str, Any]] = {}
    for name, figures in _measurements(options):
        found[name] = figures
        out.write(f"{name}: {_line(figures)}\n")
    if not found:
        raise DataError("There is nothing to measure in these folders.")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


Made = tuple[str, Mapping[str, Any]]


def _measurements(options: argparse.Namespace) -> Iterator[Made]:
    for folder in options.data:
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder}.")
        if "sentiment" in options.tasks:
            yield from _sentiment(folder, options)
        if "aspects" in options.tasks and (folder / "product_reviews_1.zip").is_file():
            yield "aspects of product reviews", asdict(measure_aspects(folder))
    if "intents" in options.tasks:
        yield "intents", asdict(cross_validated(labelled(), Multilingual()))


def _sentiment(folder: Path, options: argparse.Namespace) -> Iterator[Made]:
    network = _network(options.network, options.seed) if options.network is not None else None
    sst2 = folder / "sst2_train.tsv.gz", folder / "sst2_dev.tsv.gz"
    if "en" in options.languages and all(path.is_file() for path in sst2):
        yield "SST-2 dev", _sst2(read_table(sst2[0]), read_table(sst2[1]), network)
    chinese = {name: folder / file for name, file in CHINESE.items() if (folder / file).is_file()}
    if "zh" in options.languages and chinese:
        yield from measure_chinese(
            chinese, shipped=shipped_head("zh"), encoder=Multilingual(), seed=options.seed, network=network
        )


def _network(encoder: str, seed: int) -> Learning:
    from recommender.language.networks import tuning  # noqa: PLC0415 - torch, which few runs need

    tune = tuning(encoder)

    def learning(texts: Sequence[str], praise: Bools, start: ReviewNetwork | None) -> ReviewNetwork:
        return tune(texts, praise, rng=np.random.default_rng(seed), start=start)

    return learning


def _sst2(learn: Labelled, test: Labelled, network: Learning | None) -> Mapping[str, Any]:
    """Without the baseline of characters: the design names none for this set."""
    tuned = network(learn.texts, learn.praise, None) if network else None
    head = replace(fit_pair(learn.texts, learn.praise, config_for("en"), language="en"), network=tuned)
    finding = measure(
        learn, test, head=head, shipped=shipped_head("en"), shipped_encoder=None, baseline=False, seen=True
    )
    return {**asdict(finding), "reviews_a_second": reviews_a_second(head, learn.texts)}


def _line(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_figure(value)}" for name, value in found.items() if value is not None)


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_figure(one)}" for name, one in value.items()) + ")"
    return str(value)
