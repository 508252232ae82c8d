"""The train_sentiment command: learns a head from labelled texts, says how good it is, writes it. Needs no database."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recommender.language import shipping
from recommender.language.corpora import Labelled, held_out, read_table
from recommender.language.encoders import MULTILINGUAL
from recommender.language.network import ReviewNetwork
from recommender.language.sentiment import SentimentHead
from recommender.language.sentiment_training import accuracy, config_for, fit_pair, with_figures
from recommender.language.transformer_training import open_encoder
from recommender.types import DataError


class Writer(Protocol):
    """A stream, or what Django gives a command for one."""

    def write(self, text: str, /) -> Any: ...


class Told:
    """Writes a line at every tenth of the work, and at its end."""

    def __init__(self, out: Writer) -> None:
        self._out, self._next = out, 0.1

    def __call__(self, what: str, fraction: float) -> None:
        if fraction >= self._next:
            self._out.write(f"{what}: {fraction:.0%}\n")
            self._next = min(fraction + 0.1, 1.0)


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


def run(options: argparse.Namespace, *, out: Writer) -> None:
    """Raises DataError with one sentence."""
    if options.out is not None and not options.out.is_dir():
        raise DataError(f"There is no folder {options.out} for the head.")
    if options.shipped and options.network is not None:
        raise DataError(
            "The heads of the package have no network: --shipped and --network do not go together."
        )
    if options.shipped:
        heads = shipping.heads(options.data[0])
        for head in heads:
            out.write(_described(head))
            _write(head.to_bytes(), options.out, f"sentiment-{head.card.language}")
        agreement = shipping.agreement(options.data[0])
        out.write(
            f"agreement: balanced accuracy {agreement.accuracy:.4f} on a tenth that was not learned from\n"
        )
        _write(agreement.to_bytes(), options.out, "agreement")
        return
    if options.language is None:
        raise DataError("Say which language the texts are in: --language en or --language zh.")
    _write(_learned(options, out).to_bytes(), options.out, f"sentiment-{options.language}")


def _learned(options: argparse.Namespace, out: Writer) -> SentimentHead:
    texts = sum((read_table(path) for path in options.data), Labelled((), np.empty(0, np.bool_)))
    encoder = open_encoder(options.encoder) if options.encoder else None
    names = ", ".join(path.name for path in options.data)
    start = SentimentHead.load(options.start) if options.start else None

    tune = _tuning(options, out, start) if options.network is not None else None

    def learned(some: Labelled) -> SentimentHead:
        network = tune(some.texts, some.praise) if tune else None
        return replace(fit_pair(some.texts, some.praise, **given), network=network)

    given: dict[str, Any] = {
        "language": options.language,
        "encoder": encoder,
        "config": config_for(options.language, with_encoder=encoder is not None),
        "learned_from": names,
        "start": start,
    }
    figures = {}
    if options.measure:
        rest, tenth = held_out(len(texts), seed=options.seed)
        learn, test = texts.take(rest), texts.take(tenth)
        figures["held-out tenth"] = accuracy(learned(learn), test.texts, test.praise, encoder)
    started = time.perf_counter()
    head = with_figures(learned(texts), figures)
    out.write(f"{_described(head)}learned in {time.perf_counter() - started:.1f} s\n")
    return head


def _tuning(
    options: argparse.Namespace, out: Writer, start: SentimentHead | None
) -> Callable[..., ReviewNetwork]:
    from recommender.language.networks import tuning  # noqa: PLC0415 - torch, which few heads need

    tune, known = tuning(options.network), start.network if start else None
    return lambda texts, praise: tune(
        texts, praise, rng=np.random.default_rng(options.seed), start=known, report=Told(out)
    )


def _described(head: SentimentHead) -> str:
    figures = ", ".join(f"{name} {value:.4f}" for name, value in head.card.measured.items())
    return (
        f"sentiment-{head.card.language}: {head.card.texts:,} texts of {head.card.learned_from}; "
        f"encoder {head.card.encoder or 'none'}; network {'tuned' if head.network else 'none'}; accuracy {figures or 'not measured'}\n"
    )


def _write(content: bytes, folder: Path | None, name: str) -> None:
    """Whole or not at all."""
    if folder is None:
        return
    path = folder / f"{name}.safetensors"
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)
