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
from recommender.algorithms.blend import Blend, standardised
from recommender.dataset import Dataset, Split, leave_last_out
from recommender.dataset.items import read_item_categories, read_item_texts
from recommender.dataset.links import Triple, link_tokens, read_triples
from recommender.dataset.readers import read_interactions
from recommender.evaluation.blending import CANDIDATES, Rehearsal, fit_blend
from recommender.evaluation.command import Writer, positive, require_folder
from recommender.evaluation.fit import fit_ensemble
from recommender.evaluation.metrics import bootstrap, hits
from recommender.evaluation.profiles import Profile, new_members
from recommender.types import CannotFit, DataError, Doubles, Floats, Histories, Ints, Longs, silent

ROWS = 1_024
# Members that know an item by what it is; no other can place one that nobody chose.
KNOWING = ("content", "look", "knowledge")
# How many of a profile's categories the second bar draws from.
TOP = 3
BY_CATEGORY, AT_RANDOM, AS_SERVED = "top categories at random", "random", "as served"


@dataclass(frozen=True)
class ColdSplit:
    """Without any event of the cold items: case i asks histories row i for target[i], one of `cold`."""

    split: Split
    cold: Ints


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="as for evaluate")
    parser.add_argument("--items", type=Path, required=True, help="as for evaluate, with categories")
    parser.add_argument("--triples", type=Path, help=".csv/.parquet with head, relation, tail")
    parser.add_argument("--share", type=_share, default=0.1, help="of the items, hidden from training")
    parser.add_argument(
        "--served",
        choices=["fast", "full"],
        help="ask also the blend of all members, as a training serves it",
    )
    parser.add_argument("--k", type=positive, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write the figures")


def run(options: argparse.Namespace, *, out: Writer, progress: TextIO) -> None:
    """Prints recall@k among cold items, of each member and of the bars. Raises DataError for what cannot be read."""
    require_folder(options.json)
    texts = read_item_texts(options.items)
    dataset = read_interactions(options.data, texts)
    if options.triples:
        dataset = with_links(dataset, read_triples(options.triples))
    rng = np.random.default_rng(options.seed)
    categories = read_item_categories(options.items)
    labels = [categories.get(name, []) for name in dataset.item_ids]
    figures = evaluate_cold(
        dataset,
        labels,
        served=options.served,
        share=options.share,
        k=options.k,
        rng=rng,
        report=lambda text: progress.write(text + "\n"),
    )
    out.write(table(figures, options.k) + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def with_links(dataset: Dataset, triples: Sequence[Triple]) -> Dataset:
    found = link_tokens(triples, {name: number for number, name in enumerate(dataset.item_ids)})
    return replace(dataset, links=tuple(found.get(number, ()) for number in range(dataset.items)))


def evaluate_cold(
    dataset: Dataset,
    categories: Sequence[Sequence[str]],
    *,
    share: float,
    k: int,
    rng: np.random.Generator,
    report: Callable[[str], object],
    served: Profile | None = None,
) -> dict[str, Any]:
    """Figures by name: recall@k with its interval, of each member that knows items by what they are, of their blend, and
    of the bars. Weights of the blend come from items hidden in the same way from what is left for training."""
    test = hide(dataset, share, rng)
    report(f"{len(test.cold):,} of {dataset.items:,} items hidden, {len(test.split):,} profiles asked")
    inner = hide(test.split.train, share, rng, among=chosen_items(test.split.train))
    weights = _weights(inner, rng, k)
    report(f"weights {weights}")
    members = _fitted(test.split.train, rng)
    ranks = _ranks(members, Blend(weights), test)
    if served:
        ranks[AS_SERVED] = _ranks_as_served(test, served, rng, report)
    results = {name: hits(found, k) for name, found in ranks.items()}
    results[BY_CATEGORY] = by_category(test, categories, k)
    results[AT_RANDOM] = np.full(len(test.split), min(1.0, k / len(test.cold)))
    return {
        "data": dataset.describe(),
        "cold_items": len(test.cold),
        "cases": len(test.split),
        "weights": weights,
        "results": {name: _summary(values, k, rng) for name, values in results.items()},
    }


def hide(
    dataset: Dataset, share: float, rng: np.random.Generator, *, among: Longs | None = None
) -> ColdSplit:
    """Takes out every user's last event, and every event of `share` of the items. Asked are the users whose last event
    was of such an item and who have others left. Raises DataError where nobody can be asked."""
    items = np.arange(dataset.items) if among is None else among
    cold = np.sort(rng.choice(items, max(1, round(share * len(items))), replace=False)).astype(np.int32)
    hidden = np.zeros(dataset.items, dtype=np.bool_)
    hidden[cold] = True
    last = leave_last_out(dataset)
    train = last.train.keep(~hidden[last.train.item])
    asked = hidden[last.target] & (train.raw_histories.lengths[last.user] > 0)
    if not asked.any():
        raise DataError("Nobody's last event is of a hidden item; hide a larger share of the items.")
    user = last.user[asked]
    return ColdSplit(Split(train, train.raw_histories.take(user), last.target[asked], user), cold)


def chosen_items(dataset: Dataset) -> Longs:
    return np.unique(dataset.item).astype(np.int64)


def _fitted(data: Dataset, rng: np.random.Generator) -> dict[str, Recommender[Any]]:
    """Raises DataError where nothing is known about any item."""
    members: dict[str, Recommender[Any]] = {}
    for name, make in new_members("full", silent, KNOWING, ordered=data.ordered).items():
        member = make()
        try:
            member.fit(data, rng)
        except CannotFit:
            continue
        members[name] = member
    if not members:
        raise DataError("Nothing is known about the items: there are no texts, images or triples.")
    return members


def _parts(
    members: Mapping[str, Recommender[Any]], asked: ColdSplit
) -> Iterator[tuple[dict[str, Floats], Ints]]:
    """Standardised scores of the cold items by member, and the column of each row's target."""
    for rows, part in asked.split.histories.known(asked.split.train.items).split(ROWS):
        scores = {name: standardised(m.score(part)[:, asked.cold]) for name, m in members.items()}
        yield scores, np.searchsorted(asked.cold, asked.split.target[rows]).astype(np.int32)


def _weights(asked: ColdSplit, rng: np.random.Generator, k: int) -> dict[str, float]:
    members = _fitted(asked.split.train, rng)
    rehearsal = Rehearsal(tuple(members))
    for scores, target in _parts(members, asked):
        best = {name: top_k(part, CANDIDATES).items for name, part in scores.items()}
        # Scores have the columns of cold items only, which no history holds.
        rehearsal.add(scores, best, target, Histories.of([()] * len(target)))
    return dict(fit_blend(rehearsal, k=k).weights)


def _ranks(members: Mapping[str, Recommender[Any]], blend: Blend, asked: ColdSplit) -> dict[str, Longs]:
    """Cold items before the target, ties counted against it."""
    found: dict[str, list[Longs]] = {name: [] for name in (*members, "blend")}
    for scores, target in _parts(members, asked):
        for name, part in ({"blend": blend.add_up(scores)} | scores).items():
            wanted = part[np.arange(len(target)), target][:, None]
            found[name].append((part >= wanted).sum(axis=1) - 1)
    return {name: np.concatenate(ranks) for name, ranks in found.items()}


def _ranks_as_served(
    asked: ColdSplit, profile: Profile, rng: np.random.Generator, report: Callable[[str], object]
) -> Longs:
    """With members that learn from behaviour, and weights learned on items that were chosen."""
    ensemble = fit_ensemble(asked.split.train, profile=profile, rng=rng)
    report(f"served weights {dict(ensemble.blend.weights)}")
    found = []
    for rows, part in asked.split.histories.known(asked.split.train.items).split(ROWS):
        scores = ensemble.score(part)[:, asked.cold]
        target = np.searchsorted(asked.cold, asked.split.target[rows])
        found.append((scores >= scores[np.arange(len(target)), target][:, None]).sum(axis=1) - 1)
    return np.concatenate(found)


def by_category(asked: ColdSplit, categories: Sequence[Sequence[str]], k: int) -> Doubles:
    """The chance of each target to be drawn: cold items of the profile's most frequent narrowest category in random order,
    then of the second and third, then all others."""
    names = {name: number for number, name in enumerate(sorted({path[-1] for path in categories if path}))}
    narrowest = np.array([names[path[-1]] if path else -1 for path in categories], dtype=np.int64)
    cold = np.bincount(narrowest[asked.cold] + 1, minlength=len(names) + 1)[1:]
    chances = np.zeros(len(asked.split))
    for case, target in enumerate(asked.split.target.tolist()):
        history = narrowest[asked.split.histories.row(case)]
        counts = np.bincount(history[history >= 0], minlength=len(names))
        top = [place for place in np.argsort(-counts, kind="stable")[:TOP].tolist() if counts[place]]
        above = 0
        for place in top:
            if narrowest[target] == place:
                break
            above += int(cold[place])
        inside = narrowest[target] in top
        tied = int(cold[narrowest[target]]) if inside else len(asked.cold) - int(cold[top].sum())
        chances[case] = np.clip((k - above) / tied, 0.0, 1.0)
    return chances


def _summary(values: Doubles, k: int, rng: np.random.Generator) -> dict[str, Any]:
    interval = bootstrap(values, rng)
    return {f"recall@{k}": interval.mean, f"recall@{k}_interval": [interval.low, interval.high]}


def table(figures: Mapping[str, Any], k: int) -> str:
    """A row for each member and bar, with how many times it reaches the two bars."""
    results = figures["results"]
    bars = [results[name][f"recall@{k}"] for name in (AT_RANDOM, BY_CATEGORY)]
    lines = [f"{'':26}recall@{k} among cold items   x random   x top categories"]
    for name, found in results.items():
        low, high = found[f"recall@{k}_interval"]
        mean = found[f"recall@{k}"]
        times = "   ".join(f"{mean / bar:8.2f}" if bar else "       -" for bar in bars)
        lines.append(f"{name:26}{mean:.4f} [{low:.4f}, {high:.4f}]   {times}")
    lines.append(
        f"{figures['data']}; {figures['cold_items']:,} items hidden from training, {figures['cases']:,} profiles asked"
    )
    return "\n".join(lines)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("must be between 0 and 1")
    return value
