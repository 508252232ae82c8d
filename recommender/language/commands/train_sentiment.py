"""The train_sentiment command: learns a head from labelled texts, says how good it is, writes it. Needs no database."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recommender.language.commands import build_default_models
from recommender.language.encoders.base import MULTILINGUAL
from recommender.language.encoders.huggingface import open_encoder
from recommender.language.preprocessing.corpora import (
    LabelledTexts,
    read_labelled_table,
    split_train_test_rows,
)
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import (
    evaluate_accuracy,
    fit_nbsvm_pair,
    get_default_config,
    replace_accuracies,
)
from recommender.types import DataError


class TrainingOutput(Protocol):
    """A stream, or what Django gives a command for one."""

    def write(self, text: str, /) -> Any: ...


class ProgressPrinter:
    """Writes a line at every tenth of the work, and at its end."""

    def __init__(self, out: TrainingOutput) -> None:
        self._out, self._next_fraction = out, 0.1

    def __call__(self, stage: str, fraction: float) -> None:
        if fraction >= self._next_fraction:
            self._out.write(f"{stage}: {fraction:.0%}\n")
            self._next_fraction = min(fraction + 0.1, 1.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="CSV or TSV (also .gz, .zip) with a column label (1/0, positive/negative) and one of text, review, sentence",
    )
    parser.add_argument("--language", choices=["en", "zh"], help="of the texts")
    parser.add_argument(
        "--encoder",
        default="",
        help="multilingual, minilm (English), or a folder that transformers loads; none: words alone, the quickest",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="a head without an encoder that learned from other texts of the language; with --network its network too",
    )
    parser.add_argument(
        "--network",
        nargs="?",
        const=MULTILINGUAL,
        metavar="ENCODER",
        help="tune an encoder beside the words, minutes instead of seconds: multilingual (unless another is named), minilm (English), "
        "or a folder with a BERT that transformers loads",
    )
    parser.add_argument("--out", type=Path, help="a folder for sentiment-<language>.safetensors")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--measure", action="store_true", help="quote the accuracy on a tenth that is not learned from"
    )
    parser.add_argument(
        "--shipped",
        action="store_true",
        help="make the heads of the package again; --data is then the folder with its source data sets",
    )


def run_training(options: argparse.Namespace, *, out: TrainingOutput) -> None:
    """Raises DataError with one sentence."""
    if options.out is not None and not options.out.is_dir():
        raise DataError(f"There is no folder {options.out} for the head.")
    if options.default_accuracy and options.network is not None:
        raise DataError(
            "The heads of the package have no network: --shipped and --network do not go together."
        )
    if options.default_accuracy:
        heads = build_default_models.build_sentiment_classifiers(options.data[0])
        for head in heads:
            out.write(_format_summary(head))
            _write_artefact(head.to_bytes(), options.out, f"sentiment-{head.metadata.language}")
        agreement = build_default_models.build_relevance_classifier(options.data[0])
        out.write(
            f"agreement: balanced accuracy {agreement.accuracy:.4f} on a tenth that was not learned from\n"
        )
        _write_artefact(agreement.to_bytes(), options.out, "agreement")
        return
    if options.language is None:
        raise DataError("Say which language the texts are in: --language en or --language zh.")
    _write_artefact(
        _train_from_options(options, out).to_bytes(), options.out, f"sentiment-{options.language}"
    )


def _train_from_options(options: argparse.Namespace, out: TrainingOutput) -> SentimentClassifier:
    texts = sum(
        (read_labelled_table(path) for path in options.data), LabelledTexts((), np.empty(0, np.bool_))
    )
    encoder = open_encoder(options.encoder) if options.encoder else None
    names = ", ".join(path.name for path in options.data)
    start = SentimentClassifier.load(options.start) if options.start else None

    tune = _build_finetuner(options, out, start) if options.network is not None else None

    def fit_classifier(train_texts: LabelledTexts) -> SentimentClassifier:
        network = tune(train_texts.texts, train_texts.is_positive) if tune else None
        return replace(fit_nbsvm_pair(train_texts.texts, train_texts.is_positive, **given), network=network)

    given: dict[str, Any] = {
        "language": options.language,
        "encoder": encoder,
        "config": get_default_config(options.language, has_encoder=encoder is not None),
        "learned_from": names,
        "start": start,
    }
    figures = {}
    if options.measure:
        rest, tenth = split_train_test_rows(len(texts), seed=options.seed)
        learn, test = texts.take(rest), texts.take(tenth)
        figures["held-out tenth"] = evaluate_accuracy(
            fit_classifier(learn), test.texts, test.is_positive, encoder
        )
    started = time.perf_counter()
    head = replace_accuracies(fit_classifier(texts), figures)
    out.write(f"{_format_summary(head)}learned in {time.perf_counter() - started:.1f} s\n")
    return head


def _build_finetuner(
    options: argparse.Namespace, out: TrainingOutput, initial: SentimentClassifier | None
) -> Callable[..., OnnxSentimentNetwork]:
    from recommender.language.sentiment.finetuning.registry import get_finetuner  # noqa: PLC0415 - torch, which few heads need

    tune, known = get_finetuner(options.network), initial.network if initial else None
    return lambda texts, praise: tune(
        texts, praise, rng=np.random.default_rng(options.seed), initial=known, report=ProgressPrinter(out)
    )


def _format_summary(classifier: SentimentClassifier) -> str:
    figures = ", ".join(f"{name} {value:.4f}" for name, value in classifier.metadata.measured.items())
    return (
        f"sentiment-{classifier.metadata.language}: {classifier.metadata.texts:,} texts of {classifier.metadata.learned_from}; "
        f"encoder {classifier.metadata.encoder or 'none'}; network {'tuned' if classifier.network else 'none'}; accuracy {figures or 'not measured'}\n"
    )


def _write_artefact(content: bytes, folder: Path | None, name: str) -> None:
    """Whole or not at all."""
    if folder is None:
        return
    path = folder / f"{name}.safetensors"
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)
