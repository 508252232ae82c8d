"""Tuning on files: reads a data set, searches, prints and writes the settings that evaluate --tuned reads."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from recommender.dataset import Dataset
from recommender.dataset.items import read_item_texts
from recommender.dataset.readers import read_interactions
from recommender.dataset.splits import SPLITS
from recommender.evaluation.command import Printer, Writer, names_of
from recommender.evaluation.tuning import Budget, Log, Tuning, tune
from recommender.types import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of a search; whose data it is comes from --data, or from the caller."""
    parser.add_argument("--data", type=Path, help="as for evaluate")
    parser.add_argument("--items", type=Path, help="as for evaluate")
    parser.add_argument("--protocol", choices=list(SPLITS), default="leave-last-out")
    parser.add_argument("--profile", choices=["fast", "full"], default="full")
    parser.add_argument("--members", type=names_of, default=(), help="instead of the profile's own")
    parser.add_argument("--seconds", type=float, help="for all members together")
    parser.add_argument("--trials", type=int, help="of each member, in each of its two stages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="every trial is written here; a search broken off goes on")
    parser.add_argument("--json", type=Path, help="where to write the settings, for evaluate --tuned")


def run(options: argparse.Namespace, *, out: Writer, progress: TextIO) -> None:
    """The test events of the data set stay hidden: the search sees what evaluate would learn from. Raises DataError."""
    texts = read_item_texts(options.items) if options.items else None
    found = search(read_interactions(options.data, texts), options, progress)
    out.write(table(found.card) + "\n")
    if options.json:
        settings = {"changes": found.changes, "card": found.card}
        options.json.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def search(dataset: Dataset, options: argparse.Namespace, progress: TextIO) -> Tuning:
    split = SPLITS[options.protocol](SPLITS[options.protocol](dataset).train)
    return tune(
        split,
        profile=options.profile,
        budget=Budget(options.seconds or 600.0, options.trials or 20),
        members=options.members,
        seed=options.seed,
        report=Printer(progress).report,
        log=_log(options.log),
    )


def _log(path: Path | None) -> Log:
    if path is None:
        return Log()

    def keep(state: Mapping[str, Any]) -> None:
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(json.dumps(state), encoding="utf-8")
        part.replace(path)

    try:
        return Log.resumed(json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}, keep)
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path.name} is not the log of a search.") from error


def table(card: Mapping[str, Any]) -> str:
    """A row for each member: trials, figures of both halves, and what is kept."""
    rows = [f"{'':16}  trials  nDCG@10 searched    nDCG@10 held out    settings"]
    for name, found in card["members"].items():
        figures = "  ".join(
            f"{half['defaults']:.4f} -> {half['best']:.4f}  " for half in (found["ndcg"], found["held_out"])
        )
        settings = ", ".join(f"{key} {_short(value)}" for key, value in found["settings"].items())
        rows.append(f"{name:16}  {found['trials']:6}  {figures}  {settings or 'as they were'}")
    if together := card["together"]:
        rows.append(
            f"their blend, held out: {together['defaults']:.4f} -> {together['tuned']:.4f}; {card['seconds']:.0f} s"
        )
    return "\n".join(rows)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
