"""The evaluate_language command: what is measured follows from the files that lie in the folder. Needs no database."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recommender.language.aspects.evaluation import evaluate_aspects
from recommender.language.encoders.base import MULTILINGUAL, UniversalSentenceEncoder
from recommender.language.intents.classifier import load_intent_dataset
from recommender.language.intents.evaluation import evaluate_intents
from recommender.language.preprocessing.corpora import LabelledTexts, read_labelled_table
from recommender.language.sentiment.classifier import load_default_sentiment_classifier
from recommender.language.sentiment.evaluation import evaluate_sentiment, measure_throughput
from recommender.language.sentiment.evaluation_chinese import NetworkTrainer, evaluate_chinese_sets
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import fit_nbsvm_pair, get_default_config
from recommender.types import BoolArray, DataError

TASKS = ("sentiment", "aspects", "intents")
CHINESE_FILES = {
    "takeaway": "waimai_10k.csv.gz",
    "hotel": "ChnSentiCorp_htl_all.csv.gz",
    "shopping": "online_shopping_10_cats.zip",
}


class EvaluationOutput(Protocol):
    """A stream, or what Django gives a command for one."""

    def write(self, text: str, /) -> Any: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="folders with any of sst2_train.tsv.gz and sst2_dev.tsv.gz, product_reviews_1.zip and product_reviews_2.zip, "
        + ", ".join(CHINESE_FILES.values()),
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


def run_evaluation(options: argparse.Namespace, *, out: EvaluationOutput) -> None:
    """Raises DataError for what cannot be read, and when there is nothing to measure."""
    if options.json and not options.json.resolve().parent.is_dir():
        raise DataError(f"There is no folder {options.json.parent} for the figures.")
    found: dict[str, Mapping[str, Any]] = {}
    for name, figures in _evaluate_folders(options):
        found[name] = figures
        out.write(f"{name}: {_format_metrics(figures)}\n")
    if not found:
        raise DataError("There is nothing to measure in these folders.")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


NamedMetrics = tuple[str, Mapping[str, Any]]


def _evaluate_folders(options: argparse.Namespace) -> Iterator[NamedMetrics]:
    for folder in options.data:
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder}.")
        if "sentiment" in options.tasks:
            yield from _evaluate_sentiment_sets(folder, options)
        if "aspects" in options.tasks and (folder / "product_reviews_1.zip").is_file():
            yield "aspects of product reviews", asdict(evaluate_aspects(folder))
    if "intents" in options.tasks:
        yield "intents", asdict(evaluate_intents(load_intent_dataset(), UniversalSentenceEncoder()))


def _evaluate_sentiment_sets(folder: Path, options: argparse.Namespace) -> Iterator[NamedMetrics]:
    network = _build_network_trainer(options.network, options.seed) if options.network is not None else None
    sst2 = folder / "sst2_train.tsv.gz", folder / "sst2_dev.tsv.gz"
    if "en" in options.languages and all(path.is_file() for path in sst2):
        yield "SST-2 dev", _evaluate_sst2(read_labelled_table(sst2[0]), read_labelled_table(sst2[1]), network)
    chinese = {name: folder / file for name, file in CHINESE_FILES.items() if (folder / file).is_file()}
    if "zh" in options.languages and chinese:
        yield from evaluate_chinese_sets(
            chinese,
            default_classifier=load_default_sentiment_classifier("zh"),
            encoder=UniversalSentenceEncoder(),
            seed=options.seed,
            train_network=network,
        )


def _build_network_trainer(encoder_name: str, seed: int) -> NetworkTrainer:
    from recommender.language.sentiment.finetuning.registry import get_finetuner  # noqa: PLC0415 - torch, which few runs need

    tune = get_finetuner(encoder_name)

    def train_network(
        texts: Sequence[str], is_positive: BoolArray, initial: OnnxSentimentNetwork | None
    ) -> OnnxSentimentNetwork:
        return tune(texts, is_positive, rng=np.random.default_rng(seed), initial=initial)

    return train_network


def _evaluate_sst2(
    train: LabelledTexts, test: LabelledTexts, train_network: NetworkTrainer | None
) -> Mapping[str, Any]:
    """Without the baseline of characters: the design names none for this set."""
    tuned = train_network(train.texts, train.is_positive, None) if train_network else None
    head = replace(
        fit_nbsvm_pair(train.texts, train.is_positive, get_default_config("en"), language="en"), network=tuned
    )
    finding = evaluate_sentiment(
        train,
        test,
        classifier=head,
        default_classifier=load_default_sentiment_classifier("en"),
        default_encoder=None,
        compare_baseline=False,
        check_leakage=True,
    )
    return {**asdict(finding), "reviews_per_second": measure_throughput(head, train.texts)}


def _format_metrics(metrics: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_format_value(value)}" for name, value in metrics.items() if value is not None)


def _format_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_format_value(one)}" for name, one in value.items()) + ")"
    return str(value)
