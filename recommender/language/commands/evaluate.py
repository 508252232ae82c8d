"""`evaluate`: evaluates sentiment, aspects and intents on the data sets found in folders. Needs no database."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO

from recommender.language.aspects.evaluation import evaluate_aspects
from recommender.language.commands.network_trainer import build_network_trainer
from recommender.language.encoders.base import MULTILINGUAL
from recommender.language.encoders.use import UniversalSentenceEncoder
from recommender.language.intents.classifier import load_intent_dataset
from recommender.language.intents.evaluation import evaluate_intents
from recommender.language.preprocessing.corpora import (
    LabelledTexts,
    read_labelled_table,
)
from recommender.language.sentiment.classifier import (
    load_default_sentiment_classifier,
)
from recommender.language.sentiment.config import (
    SentimentFitOptions,
    get_default_config,
)
from recommender.language.sentiment.evaluation import (
    NetworkTrainer,
    evaluate_sentiment,
    measure_throughput,
)
from recommender.language.sentiment.evaluation_chinese import (
    evaluate_chinese_sets,
)
from recommender.language.sentiment.training import fit_nbsvm_pair
from recommender.types import DataError

TASKS = ("sentiment", "aspects", "intents")
SST2_FILES = ("sst2_train.tsv.gz", "sst2_dev.tsv.gz")
CHINESE_FILES = {
    "takeaway": "waimai_10k.csv.gz",
    "hotel": "ChnSentiCorp_htl_all.csv.gz",
    "shopping": "online_shopping_10_cats.zip",
}
NamedMetrics = tuple[str, Mapping[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that `run_evaluation` reads."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="folders with any of sst2_train.tsv.gz and sst2_dev.tsv.gz, product_reviews_1.zip and product_reviews_2.zip, "
        + ", ".join(CHINESE_FILES.values()),
    )
    parser.add_argument(
        "--tasks",
        nargs="+",
        choices=TASKS,
        default=list(TASKS),
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the held-out tenth",
    )
    parser.add_argument(
        "--languages",
        nargs="+",
        choices=["en", "zh"],
        default=["en", "zh"],
        help="of sentiment",
    )
    parser.add_argument(
        "--network",
        nargs="?",
        const=MULTILINGUAL,
        metavar="ENCODER",
        help="evaluate sentiment with a network, tuned from this encoder as train-sentiment does: minutes per data set",
    )
    parser.add_argument(
        "--json",
        type=Path,
        help="where to write the metrics",
    )


def run_evaluation(options: argparse.Namespace, *, out: TextIO) -> None:
    """Prints the metrics of each data set to `out` and writes all of them as JSON.

    Raises DataError for a file that cannot be read and for folders without any known data set."""
    if options.json and not options.json.resolve().parent.is_dir():
        raise DataError(f"There is no folder {options.json.parent} for the metrics.")
    all_metrics: dict[str, Mapping[str, Any]] = {}
    for name, metrics in _evaluate_folders(options):
        all_metrics[name] = metrics
        out.write(f"{name}: {_format_metrics(metrics)}\n")
    if not all_metrics:
        raise DataError("There is nothing to evaluate in these folders.")
    if options.json:
        content = json.dumps(all_metrics, indent=2, ensure_ascii=False)
        options.json.write_text(content + "\n", encoding="utf-8")


def _evaluate_folders(options: argparse.Namespace) -> Iterator[NamedMetrics]:
    for folder in options.data:
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder}.")
        if "sentiment" in options.tasks:
            yield from _evaluate_sentiment_sets(folder, options)
        if "aspects" in options.tasks and (folder / "product_reviews_1.zip").is_file():
            yield "aspects of product reviews", asdict(evaluate_aspects(folder))
    if "intents" in options.tasks:
        # The labelled sentences belong to the package: they need no folder.
        metrics = evaluate_intents(load_intent_dataset(), UniversalSentenceEncoder())
        yield "intents", asdict(metrics)


def _evaluate_sentiment_sets(folder: Path, options: argparse.Namespace) -> Iterator[NamedMetrics]:
    train_network = None
    if options.network is not None:
        train_network = build_network_trainer(options.network, seed=options.seed)
    train_path, test_path = (folder / name for name in SST2_FILES)
    if "en" in options.languages and train_path.is_file() and test_path.is_file():
        train = read_labelled_table(train_path)
        test = read_labelled_table(test_path)
        yield "SST-2 dev", _evaluate_sst2(train, test, train_network)
    chinese_paths = {}
    for name, file_name in CHINESE_FILES.items():
        if (folder / file_name).is_file():
            chinese_paths[name] = folder / file_name
    if "zh" in options.languages and chinese_paths:
        yield from evaluate_chinese_sets(
            chinese_paths,
            default_classifier=load_default_sentiment_classifier("zh"),
            encoder=UniversalSentenceEncoder(),
            seed=options.seed,
            train_network=train_network,
        )


def _evaluate_sst2(
    train: LabelledTexts,
    test: LabelledTexts,
    train_network: NetworkTrainer | None,
) -> Mapping[str, Any]:
    """Metrics without the TF-IDF baseline: the specification asks for it on the Chinese sets only."""
    network = None
    if train_network:
        network = train_network(train.texts, train.is_positive, None)
    options = SentimentFitOptions(language="en", config=get_default_config("en"))
    linear_classifier = fit_nbsvm_pair(train.texts, train.is_positive, options)
    classifier = replace(linear_classifier, network=network)
    metrics = evaluate_sentiment(
        train,
        test,
        classifier=classifier,
        default_classifier=load_default_sentiment_classifier("en"),
        default_encoder=None,
        compare_baseline=False,
        # SST-2 contains phrases of sentences: phrases of the dev part also occur in the training part.
        check_leakage=True,
    )
    reviews_per_second = measure_throughput(classifier, train.texts)
    return {**asdict(metrics), "reviews_per_second": reviews_per_second}


def _format_metrics(metrics: Mapping[str, Any]) -> str:
    items = []
    for name, value in metrics.items():
        if value is not None:
            items.append(f"{name} {_format_value(value)}")
    return ", ".join(items)


def _format_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({_format_metrics(value)})"
    if not isinstance(value, float):
        return str(value)
    # Fractions with four digits, rates without digits.
    return f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}"
