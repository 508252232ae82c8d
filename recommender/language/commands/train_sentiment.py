"""`train-sentiment`: trains a sentiment classifier from labelled texts, evaluates it and writes it. Needs no database."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from recommender.console import ProgressPrinter
from recommender.language.commands import build_default_models
from recommender.language.commands.network_trainer import build_network_trainer
from recommender.language.encoders.base import MULTILINGUAL
from recommender.language.encoders.huggingface import open_encoder
from recommender.language.preprocessing.corpora import (
    LabelledTexts,
    concatenate_texts,
    read_labelled_table,
    split_train_test_rows,
)
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.config import (
    SentimentFitOptions,
    get_default_config,
)
from recommender.language.sentiment.evaluation import NetworkTrainer
from recommender.language.sentiment.training import (
    evaluate_accuracy,
    fit_nbsvm_pair,
    replace_accuracies,
)
from recommender.types import DataError
from tenants.common.atomic_files import write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that `run_training` reads."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="CSV or TSV (also .gz, .zip) with a column label (1/0, positive/negative) and one of text, review, sentence",
    )
    parser.add_argument("--language", choices=["en", "zh"], help="language of the texts")
    parser.add_argument(
        "--encoder",
        default="",
        help="multilingual, minilm (English), or a folder that transformers loads; none: words only, the fastest",
    )
    parser.add_argument(
        "--initial",
        type=Path,
        help="a classifier without an encoder that was trained on other texts of the language; with --network its network is continued too",
    )
    parser.add_argument(
        "--network",
        nargs="?",
        const=MULTILINGUAL,
        metavar="ENCODER",
        help="also fine-tune a network, minutes instead of seconds: multilingual (the default), minilm (English), "
        "or a folder with a BERT that transformers loads",
    )
    parser.add_argument("--out", type=Path, help="a folder for sentiment-<language>.safetensors")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--evaluate",
        action="store_true",
        help="also report the accuracy on a held-out tenth of a classifier trained on the rest",
    )
    parser.add_argument(
        "--build-defaults",
        action="store_true",
        help="rebuild the classifiers of this package; --data is then the folder with their source data sets",
    )


def run_training(options: argparse.Namespace, *, out: TextIO) -> None:
    """Trains, prints a summary to `out` and writes the classifier. Raises DataError with one sentence."""
    if options.out is not None and not options.out.is_dir():
        raise DataError(f"There is no folder {options.out} for the classifier.")
    if options.build_defaults:
        _build_defaults(options, out)
        return
    if options.language is None:
        raise DataError("State the language of the texts: --language en or --language zh.")
    classifier = _train_from_options(options, out)
    _write_artefact(classifier.to_bytes(), options.out, f"sentiment-{options.language}")


def _build_defaults(options: argparse.Namespace, out: TextIO) -> None:
    if options.network is not None:
        raise DataError(
            "The classifiers of this package have no network: --build-defaults and --network exclude each other."
        )
    folder = options.data[0]
    for classifier in build_default_models.build_sentiment_classifiers(folder):
        out.write(_format_summary(classifier))
        _write_artefact(
            classifier.to_bytes(),
            options.out,
            f"sentiment-{classifier.metadata.language}",
        )
    relevance_classifier = build_default_models.build_relevance_classifier(folder)
    out.write(f"agreement: balanced accuracy {relevance_classifier.accuracy:.4f} on a held-out tenth\n")
    _write_artefact(relevance_classifier.to_bytes(), options.out, "agreement")


def _train_from_options(options: argparse.Namespace, out: TextIO) -> SentimentClassifier:
    texts = concatenate_texts(map(read_labelled_table, options.data))
    encoder = open_encoder(options.encoder) if options.encoder else None
    initial = SentimentClassifier.load(options.initial) if options.initial else None
    fit_options = SentimentFitOptions(
        language=options.language,
        config=get_default_config(options.language, has_encoder=encoder is not None),
        encoder=encoder,
        initial=initial,
        learned_from=", ".join(path.name for path in options.data),
    )
    train_network = None
    if options.network is not None:
        report = ProgressPrinter(out).print_progress
        train_network = build_network_trainer(options.network, seed=options.seed, report=report)
    accuracies = {}
    if options.evaluate:
        train_rows, test_rows = split_train_test_rows(len(texts), seed=options.seed)
        test = texts.take(test_rows)
        classifier = _fit_classifier(texts.take(train_rows), fit_options, train_network)
        accuracy = evaluate_accuracy(classifier, test.texts, test.is_positive, encoder)
        accuracies["held-out tenth"] = accuracy
    started = time.perf_counter()
    classifier = _fit_classifier(texts, fit_options, train_network)
    elapsed = time.perf_counter() - started
    classifier = replace_accuracies(classifier, accuracies)
    out.write(f"{_format_summary(classifier)}trained in {elapsed:.1f} s\n")
    return classifier


def _fit_classifier(
    texts: LabelledTexts,
    options: SentimentFitOptions,
    train_network: NetworkTrainer | None,
) -> SentimentClassifier:
    network = None
    if train_network:
        initial_network = options.initial.network if options.initial else None
        network = train_network(texts.texts, texts.is_positive, initial_network)
    classifier = fit_nbsvm_pair(texts.texts, texts.is_positive, options)
    return replace(classifier, network=network)


def _format_summary(classifier: SentimentClassifier) -> str:
    metadata = classifier.metadata
    accuracies = ", ".join(f"{name} {value:.4f}" for name, value in metadata.measured.items())
    return (
        f"sentiment-{metadata.language}: {metadata.texts:,} texts of {metadata.learned_from}; "
        f"encoder {metadata.encoder or 'none'}; "
        f"network {'tuned' if classifier.network else 'none'}; "
        f"accuracy {accuracies or 'not evaluated'}\n"
    )


def _write_artefact(content: bytes, folder: Path | None, name: str) -> None:
    if folder is not None:
        write_atomically(folder / f"{name}.safetensors", content)
