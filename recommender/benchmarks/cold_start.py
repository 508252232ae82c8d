"""The evaluate_cold command: what is known of items that nobody in training chose. Needs no database."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from recommender.algorithms.base import Recommender, top_k
from recommender.algorithms.common.score_blend import Blend, scale_to_z_scores
from recommender.benchmarks.cli import CommandOutput, parse_positive_int, require_parent_folder
from recommender.dataset import Dataset, Split, leave_last_out
from recommender.dataset.interaction_files import read_interactions
from recommender.dataset.item_files import read_item_categories, read_item_texts
from recommender.dataset.triples import Triple, build_triple_tokens, read_triples
from recommender.evaluation.metrics import bootstrap_interval, recall_at_k
from recommender.fitting.blend_weights import CANDIDATES_PER_MODEL, CandidateScores, fit_blend
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.training_profiles import TrainingProfileName, build_model_factories
from recommender.types import (
    DataError,
    Float32Array,
    Float64Array,
    Histories,
    InsufficientDataError,
    Int32Array,
    Int64Array,
    ignore_progress,
)

BATCH_SIZE = 1_024
# Members that know an item by what it is; no other can place one that nobody chose.
CONTENT_MODELS = ("content", "visual_similarity", "triple_similarity")
# How many of a profile's categories the second bar draws from.
TOP_CATEGORIES = 3
CATEGORY_BASELINE, RANDOM_BASELINE, SERVED_BLEND = "top categories at random", "random", "as served"


@dataclass(frozen=True)
class ColdStartSplit:
    """Without any event of the cold items: case i asks histories row i for target[i], one of `cold`."""

    split: Split
    cold_items: Int32Array


def add_cold_start_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="as for evaluate")
    parser.add_argument("--items", type=Path, required=True, help="as for evaluate, with categories")
    parser.add_argument("--triples", type=Path, help=".csv/.parquet with head, relation, tail")
    parser.add_argument(
        "--share", type=_parse_fraction, default=0.1, help="of the items, hidden from training"
    )
    parser.add_argument(
        "--served",
        choices=["fast", "full"],
        help="ask also the blend of all members, as a training serves it",
    )
    parser.add_argument("--k", type=parse_positive_int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write the figures")


def run_cold_start_evaluation(options: argparse.Namespace, *, out: CommandOutput, progress: TextIO) -> None:
    """Prints recall@k among cold items, of each member and of the bars. Raises DataError for what cannot be read."""
    require_parent_folder(options.json)
    texts = read_item_texts(options.items)
    dataset = read_interactions(options.data, texts)
    if options.triples:
        dataset = attach_triples(dataset, read_triples(options.triples))
    rng = np.random.default_rng(options.seed)
    categories = read_item_categories(options.items)
    labels = [categories.get(name, []) for name in dataset.item_ids]
    figures = evaluate_cold_start(
        dataset,
        labels,
        served_profile=options.served,
        cold_fraction=options.share,
        k=options.k,
        rng=rng,
        log=lambda text: progress.write(text + "\n"),
    )
    out.write(format_cold_start_table(figures, options.k) + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def attach_triples(dataset: Dataset, triples: Sequence[Triple]) -> Dataset:
    found = build_triple_tokens(triples, {name: number for number, name in enumerate(dataset.item_ids)})
    return replace(dataset, triple_tokens=tuple(found.get(number, ()) for number in range(dataset.n_items)))


def evaluate_cold_start(
    dataset: Dataset,
    categories: Sequence[Sequence[str]],
    *,
    cold_fraction: float,
    k: int,
    rng: np.random.Generator,
    log: Callable[[str], object],
    served_profile: TrainingProfileName | None = None,
) -> dict[str, Any]:
    """Figures by name: recall@k with its interval, of each member that knows items by what they are, of their blend, and
    of the bars. Weights of the blend come from items hidden in the same way from what is left for training."""
    test = split_cold_items(dataset, cold_fraction, rng)
    log(f"{len(test.cold_items):,} of {dataset.n_items:,} items hidden, {len(test.split):,} profiles asked")
    inner = split_cold_items(
        test.split.train, cold_fraction, rng, eligible_items=list_interacted_items(test.split.train)
    )
    weights = _fit_blend_weights(inner, rng, k)
    log(f"weights {weights}")
    members = _fit_content_models(test.split.train, rng)
    ranks = _rank_targets(members, Blend(weights), test)
    if served_profile:
        ranks[SERVED_BLEND] = _rank_targets_as_served(test, served_profile, rng, log)
    results = {name: recall_at_k(found, k) for name, found in ranks.items()}
    results[CATEGORY_BASELINE] = compute_category_baseline(test, categories, k)
    results[RANDOM_BASELINE] = np.full(len(test.split), min(1.0, k / len(test.cold_items)))
    return {
        "data": dataset.describe_size(),
        "cold_items": len(test.cold_items),
        "cases": len(test.split),
        "weights": weights,
        "results": {name: _summarize_recall(values, k, rng) for name, values in results.items()},
    }


def split_cold_items(
    dataset: Dataset,
    cold_fraction: float,
    rng: np.random.Generator,
    *,
    eligible_items: Int64Array | None = None,
) -> ColdStartSplit:
    """Takes out every user's last event, and every event of `share` of the items. Asked are the users whose last event
    was of such an item and who have others left. Raises DataError where nobody can be asked."""
    items = np.arange(dataset.n_items) if eligible_items is None else eligible_items
    cold = np.sort(rng.choice(items, max(1, round(cold_fraction * len(items))), replace=False)).astype(
        np.int32
    )
    hidden = np.zeros(dataset.n_items, dtype=np.bool_)
    hidden[cold] = True
    last = leave_last_out(dataset)
    train = last.train.filter_events(~hidden[last.train.item])
    asked = hidden[last.target] & (train.raw_histories.lengths[last.user] > 0)
    if not asked.any():
        raise DataError("Nobody's last event is of a hidden item; hide a larger share of the items.")
    user = last.user[asked]
    return ColdStartSplit(Split(train, train.raw_histories.take_rows(user), last.target[asked], user), cold)


def list_interacted_items(dataset: Dataset) -> Int64Array:
    return np.unique(dataset.item).astype(np.int64)


def _fit_content_models(data: Dataset, rng: np.random.Generator) -> dict[str, Recommender[Any]]:
    """Raises DataError where nothing is known about any item."""
    members: dict[str, Recommender[Any]] = {}
    for name, make in build_model_factories(
        "full", ignore_progress, CONTENT_MODELS, ordered=data.is_ordered
    ).items():
        member = make()
        try:
            member.fit(data, rng)
        except InsufficientDataError:
            continue
        members[name] = member
    if not members:
        raise DataError("Nothing is known about the items: there are no texts, images or triples.")
    return members


def _iter_score_batches(
    models: Mapping[str, Recommender[Any]], cold_split: ColdStartSplit
) -> Iterator[tuple[dict[str, Float32Array], Int32Array]]:
    """Standardised scores of the cold items by member, and the column of each row's target."""
    for rows, part in cold_split.split.histories.drop_unknown_and_repeats(
        cold_split.split.train.n_items
    ).iter_chunks(BATCH_SIZE):
        scores = {
            name: scale_to_z_scores(m.score(part)[:, cold_split.cold_items]) for name, m in models.items()
        }
        yield scores, np.searchsorted(cold_split.cold_items, cold_split.split.target[rows]).astype(np.int32)


def _fit_blend_weights(cold_split: ColdStartSplit, rng: np.random.Generator, k: int) -> dict[str, float]:
    members = _fit_content_models(cold_split.split.train, rng)
    rehearsal = CandidateScores(tuple(members))
    for scores, target in _iter_score_batches(members, cold_split):
        best = {name: top_k(part, CANDIDATES_PER_MODEL).items for name, part in scores.items()}
        # Scores have the columns of cold items only, which no history holds.
        rehearsal.add_batch(scores, best, target, Histories.from_lists([()] * len(target)))
    return dict(fit_blend(rehearsal, k=k).weights)


def _rank_targets(
    models: Mapping[str, Recommender[Any]], blend: Blend, cold_split: ColdStartSplit
) -> dict[str, Int64Array]:
    """Cold items before the target, ties counted against it."""
    found: dict[str, list[Int64Array]] = {name: [] for name in (*models, "blend")}
    for scores, target in _iter_score_batches(models, cold_split):
        for name, part in ({"blend": blend.sum_weighted(scores)} | scores).items():
            wanted = part[np.arange(len(target)), target][:, None]
            found[name].append((part >= wanted).sum(axis=1) - 1)
    return {name: np.concatenate(ranks) for name, ranks in found.items()}


def _rank_targets_as_served(
    cold_split: ColdStartSplit,
    profile: TrainingProfileName,
    rng: np.random.Generator,
    log: Callable[[str], object],
) -> Int64Array:
    """With members that learn from behaviour, and weights learned on items that were chosen."""
    ensemble = fit_ensemble(cold_split.split.train, profile=profile, rng=rng)
    log(f"served weights {dict(ensemble.blend.weights)}")
    found = []
    for rows, part in cold_split.split.histories.drop_unknown_and_repeats(
        cold_split.split.train.n_items
    ).iter_chunks(BATCH_SIZE):
        scores = ensemble.score(part)[:, cold_split.cold_items]
        target = np.searchsorted(cold_split.cold_items, cold_split.split.target[rows])
        found.append((scores >= scores[np.arange(len(target)), target][:, None]).sum(axis=1) - 1)
    return np.concatenate(found)


def compute_category_baseline(
    cold_split: ColdStartSplit, categories: Sequence[Sequence[str]], k: int
) -> Float64Array:
    """The chance of each target to be drawn: cold items of the profile's most frequent narrowest category in random order,
    then of the second and third, then all others."""
    names = {name: number for number, name in enumerate(sorted({path[-1] for path in categories if path}))}
    narrowest = np.array([names[path[-1]] if path else -1 for path in categories], dtype=np.int64)
    cold = np.bincount(narrowest[cold_split.cold_items] + 1, minlength=len(names) + 1)[1:]
    chances = np.zeros(len(cold_split.split))
    for case, target in enumerate(cold_split.split.target.tolist()):
        history = narrowest[cold_split.split.histories.slice_row(case)]
        counts = np.bincount(history[history >= 0], minlength=len(names))
        top = [
            place for place in np.argsort(-counts, kind="stable")[:TOP_CATEGORIES].tolist() if counts[place]
        ]
        above = 0
        for place in top:
            if narrowest[target] == place:
                break
            above += int(cold[place])
        inside = narrowest[target] in top
        tied = int(cold[narrowest[target]]) if inside else len(cold_split.cold_items) - int(cold[top].sum())
        chances[case] = np.clip((k - above) / tied, 0.0, 1.0)
    return chances


def _summarize_recall(values: Float64Array, k: int, rng: np.random.Generator) -> dict[str, Any]:
    interval = bootstrap_interval(values, rng)
    return {f"recall@{k}": interval.mean, f"recall@{k}_interval": [interval.low, interval.high]}


def format_cold_start_table(metrics: Mapping[str, Any], k: int) -> str:
    """A row for each member and bar, with how many times it reaches the two bars."""
    results = metrics["results"]
    bars = [results[name][f"recall@{k}"] for name in (RANDOM_BASELINE, CATEGORY_BASELINE)]
    lines = [f"{'':26}recall@{k} among cold items   x random   x top categories"]
    for name, found in results.items():
        low, high = found[f"recall@{k}_interval"]
        mean = found[f"recall@{k}"]
        times = "   ".join(f"{mean / bar:8.2f}" if bar else "       -" for bar in bars)
        lines.append(f"{name:26}{mean:.4f} [{low:.4f}, {high:.4f}]   {times}")
    lines.append(
        f"{metrics['data']}; {metrics['cold_items']:,} items hidden from training, {metrics['cases']:,} profiles asked"
    )
    return "\n".join(lines)


def _parse_fraction(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("must be between 0 and 1")
    return value
