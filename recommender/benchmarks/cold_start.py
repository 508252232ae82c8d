"""Recall among cold items: items whose events are all hidden from training.

Models that describe items by content can rank such items; all others cannot. Two baselines need no model: a random
order, and a random order within the user's most frequent categories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender, top_k
from recommender.algorithms.common.score_blend import Blend
from recommender.dataset import Dataset, Split, leave_last_out
from recommender.dataset.triples import Triple, build_triple_tokens
from recommender.evaluation.candidate_scores import CANDIDATES_PER_MODEL, CandidateScores
from recommender.evaluation.metrics import bootstrap_interval, recall_at_k
from recommender.fitting.blend_weights import fit_blend
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.training_profiles import TrainingProfileName, build_model_specs
from recommender.numeric import scale_to_z_scores
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
# Models that describe an item by its content; no other can score an item without events.
CONTENT_MODELS = ("content", "visual_similarity", "triple_similarity")
# How many of a user's categories the category baseline draws from.
TOP_CATEGORIES = 3
CATEGORY_BASELINE, RANDOM_BASELINE, ENSEMBLE_RESULT = "top categories at random", "random", "ensemble"

MessageLogger = Callable[[str], object]


@dataclass(frozen=True)
class ColdStartSplit:
    """A split whose training data has no event of `cold_items` (sorted); every target is a cold item."""

    split: Split
    cold_items: Int32Array

    @property
    def target_columns(self) -> Int32Array:
        """Position of each case's target within `cold_items`, shape (cases,)."""
        return np.searchsorted(self.cold_items, self.split.target).astype(np.int32)

    def iter_histories(self) -> Iterator[tuple[slice, Histories]]:
        """Histories in batches, with the slice of cases that each batch holds."""
        histories = self.split.histories.drop_unknown_and_repeats(self.split.train.n_items)
        yield from histories.iter_chunks(BATCH_SIZE)


def attach_triples(dataset: Dataset, triples: Sequence[Triple]) -> Dataset:
    """The data set with the triples as tokens of its items; triples of unknown items are ignored."""
    item_numbers = {item_id: number for number, item_id in enumerate(dataset.item_ids)}
    tokens = build_triple_tokens(triples, item_numbers)
    return replace(dataset, triple_tokens=tuple(tokens.get(item, ()) for item in range(dataset.n_items)))


def evaluate_cold_start(
    dataset: Dataset,
    categories: Sequence[Sequence[str]],
    *,
    cold_fraction: float,
    k: int,
    rng: np.random.Generator,
    log: MessageLogger,
    ensemble_profile: TrainingProfileName | None = None,
) -> dict[str, Any]:
    """Evaluates content models, their blend and the baselines on cold items.

    Blend weights are fitted on a second set of cold items, hidden from the training data in the same way.

    Args:
        dataset: events and item content.
        categories: category path of each item, narrowest category last; empty where unknown.
        cold_fraction: fraction of the items that are hidden from training.
        k: length of the evaluated lists.
        rng: draws cold items, training samples and bootstrap resamples.
        log: receives one line for each step.
        ensemble_profile: also fits and evaluates an ensemble of this training profile.

    Returns:
        data, cold_items (count), cases (count), weights by model, and results: by name recall@k with its interval.

    Raises:
        DataError: no case has a cold target, or no item has content.
    """
    test = split_cold_items(dataset, cold_fraction, rng)
    log(f"{len(test.cold_items):,} of {dataset.n_items:,} items hidden, {len(test.split):,} cases")
    eligible_items = list_interacted_items(test.split.train)
    validation = split_cold_items(test.split.train, cold_fraction, rng, eligible_items=eligible_items)
    weights = _fit_blend_weights(validation, rng, k)
    log(f"weights {weights}")
    models = _fit_content_models(test.split.train, rng)
    ranks = _rank_targets(models, Blend(weights), test)
    if ensemble_profile:
        ranks[ENSEMBLE_RESULT] = _rank_targets_by_ensemble(test, ensemble_profile, rng, log)
    results = {name: recall_at_k(model_ranks, k) for name, model_ranks in ranks.items()}
    results[CATEGORY_BASELINE] = compute_category_baseline(test, categories, k)
    results[RANDOM_BASELINE] = np.full(len(test.split), min(1.0, k / len(test.cold_items)))
    return {
        "data": dataset.describe_size(),
        "cold_items": len(test.cold_items),
        "cases": len(test.split),
        "weights": weights,
        "results": {name: _summarize_recall(recall, k, rng) for name, recall in results.items()},
    }


def split_cold_items(
    dataset: Dataset,
    cold_fraction: float,
    rng: np.random.Generator,
    *,
    eligible_items: Int64Array | None = None,
) -> ColdStartSplit:
    """Hides each user's last event and all events of a random fraction of the items.

    The cases are the users whose last event was of a cold item and who have other events left.

    Args:
        dataset: events to split.
        cold_fraction: fraction of the eligible items that become cold; at least one item.
        rng: draws the cold items.
        eligible_items: item numbers to draw from; all items by default.

    Raises:
        DataError: there is no case.
    """
    if eligible_items is None:
        eligible_items = np.arange(dataset.n_items)
    n_cold = max(1, round(cold_fraction * len(eligible_items)))
    drawn_items = rng.choice(eligible_items, n_cold, replace=False)
    cold_items = np.sort(drawn_items).astype(np.int32)
    is_cold = np.zeros(dataset.n_items, dtype=np.bool_)
    is_cold[cold_items] = True
    last_out = leave_last_out(dataset)
    train = last_out.train.filter_events(~is_cold[last_out.train.item])
    has_history = train.raw_histories.lengths[last_out.user] > 0
    rows = np.flatnonzero(is_cold[last_out.target] & has_history)
    if not len(rows):
        raise DataError("No user's last event is of a hidden item; hide a larger fraction of the items.")
    user = last_out.user[rows]
    split = Split(
        train=train,
        histories=train.raw_histories.take_rows(user),
        target=last_out.target[rows],
        user=user,
    )
    return ColdStartSplit(split, cold_items)


def list_interacted_items(dataset: Dataset) -> Int64Array:
    """Sorted numbers of the items that have at least one event."""
    return np.unique(dataset.item).astype(np.int64)


def _fit_content_models(data: Dataset, rng: np.random.Generator) -> dict[str, Recommender[Any]]:
    """Raises DataError where no item has content."""
    specs = build_model_specs("full", ignore_progress, CONTENT_MODELS, ordered=data.is_ordered)
    models: dict[str, Recommender[Any]] = {}
    for name, spec in specs.items():
        model = spec.build()
        try:
            model.fit(data, rng)
        except InsufficientDataError:
            continue
        models[name] = model
    if not models:
        raise DataError("No item has content: there are no texts, images or triples.")
    return models


def _iter_score_batches(
    models: Mapping[str, Recommender[Any]], cold_split: ColdStartSplit
) -> Iterator[tuple[dict[str, Float32Array], Int32Array]]:
    """For each batch, z-scores (cases, cold items) by model and the target's column (cases,)."""
    target_columns = cold_split.target_columns
    for rows, histories in cold_split.iter_histories():
        scores = {}
        for name, model in models.items():
            scores[name] = scale_to_z_scores(model.score(histories)[:, cold_split.cold_items])
        yield scores, target_columns[rows]


def _fit_blend_weights(cold_split: ColdStartSplit, rng: np.random.Generator, k: int) -> dict[str, float]:
    models = _fit_content_models(cold_split.split.train, rng)
    candidate_scores = CandidateScores(tuple(models))
    for scores, target_columns in _iter_score_batches(models, cold_split):
        top_items = {}
        for name, model_scores in scores.items():
            top_items[name] = top_k(model_scores, CANDIDATES_PER_MODEL).items
        # Columns are cold items, which no history contains: the histories are empty in these column numbers.
        no_histories = Histories.from_lists([()] * len(target_columns))
        candidate_scores.add_batch(scores, top_items, target_columns, no_histories)
    return dict(fit_blend(candidate_scores, k=k).weights)


def _rank_targets(
    models: Mapping[str, Recommender[Any]], blend: Blend, cold_split: ColdStartSplit
) -> dict[str, Int64Array]:
    """Ranks (cases,) among cold items by model and for the blend."""
    rank_batches: dict[str, list[Int64Array]] = {name: [] for name in (*models, "blend")}
    for scores, target_columns in _iter_score_batches(models, cold_split):
        rank_batches["blend"].append(_rank_columns(blend.sum_weighted(scores), target_columns))
        for name, model_scores in scores.items():
            rank_batches[name].append(_rank_columns(model_scores, target_columns))
    return {name: np.concatenate(batches) for name, batches in rank_batches.items()}


def _rank_columns(scores: Float32Array, target_columns: Int32Array) -> Int64Array:
    """How many columns score at least as high as the target: ties count against it."""
    target_scores = scores[np.arange(len(target_columns)), target_columns][:, None]
    return np.asarray((scores >= target_scores).sum(axis=1) - 1, dtype=np.int64)


def _rank_targets_by_ensemble(
    cold_split: ColdStartSplit,
    profile: TrainingProfileName,
    rng: np.random.Generator,
    log: MessageLogger,
) -> Int64Array:
    """Ranks by an ensemble with behavioural models, whose blend weights were fitted on items with events."""
    ensemble = fit_ensemble(cold_split.split.train, FitOptions(profile=profile), rng=rng)
    log(f"ensemble weights {dict(ensemble.blend.weights)}")
    target_columns = cold_split.target_columns
    rank_batches = []
    for rows, histories in cold_split.iter_histories():
        scores = ensemble.score(histories)[:, cold_split.cold_items]
        rank_batches.append(_rank_columns(scores, target_columns[rows]))
    return np.concatenate(rank_batches)


def compute_category_baseline(
    cold_split: ColdStartSplit, categories: Sequence[Sequence[str]], k: int
) -> Float64Array:
    """Probability that each target is among the first k items of the category baseline, shape (cases,).

    The baseline orders cold items by their narrowest category: first the user's most frequent category, then the
    second and third, then all other items; the order within each of these groups is random.
    """
    names = sorted({path[-1] for path in categories if path})
    category_numbers = {name: number for number, name in enumerate(names)}
    item_category = np.full(len(categories), -1, dtype=np.int64)
    for item, path in enumerate(categories):
        if path:
            item_category[item] = category_numbers[path[-1]]
    # Category -1 (unknown) is counted in bin 0, which [1:] drops.
    cold_categories = item_category[cold_split.cold_items]
    n_cold_by_category = np.bincount(cold_categories + 1, minlength=len(names) + 1)[1:]
    probabilities = np.zeros(len(cold_split.split))
    for case, target in enumerate(cold_split.split.target.tolist()):
        history_categories = item_category[cold_split.split.histories.slice_row(case)]
        counts = np.bincount(history_categories[history_categories >= 0], minlength=len(category_numbers))
        most_frequent = np.argsort(-counts, kind="stable")[:TOP_CATEGORIES]
        top_categories = most_frequent[counts[most_frequent] > 0].tolist()
        target_category = int(item_category[target])
        if target_category in top_categories:
            preceding = top_categories[: top_categories.index(target_category)]
            group_size = int(n_cold_by_category[target_category])
        else:
            preceding = top_categories
            group_size = len(cold_split.cold_items) - int(n_cold_by_category[top_categories].sum())
        n_preceding = int(n_cold_by_category[preceding].sum())
        probabilities[case] = np.clip((k - n_preceding) / group_size, 0.0, 1.0)
    return probabilities


def _summarize_recall(recall: Float64Array, k: int, rng: np.random.Generator) -> dict[str, Any]:
    interval = bootstrap_interval(recall, rng)
    return {f"recall@{k}": interval.mean, f"recall@{k}_interval": [interval.low, interval.high]}
