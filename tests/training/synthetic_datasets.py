"""Synthetic data sets with a known structure, and real fits of cheap models on them, without a database."""

from __future__ import annotations

import numpy as np

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.dataset import Dataset, Split
from recommender.evaluation.slices import SegmentColumns
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.registry.bundle import Bundle
from recommender.training import gate
from recommender.training.gate import GateResult
from tenants.common.time_units import DAY_MS

ITEMS = 120
CHEAP_MODELS = ("popularity", "transitions", "item_neighbours", "ease")


def generate_dataset(
    seed: int, *, users: int = 400, successor_rate: float = 0.6, start_ms: int = 0
) -> Dataset:
    """Forty days of events.

    With probability `successor_rate` an event is on the successor of the previous item.
    Otherwise its item is drawn by popularity (Zipf).
    """
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, ITEMS + 1)
    probabilities = popularity / popularity.sum()
    item_ids = rng.permutation(ITEMS)
    lengths = rng.integers(4, 16, users)
    items = np.empty(int(lengths.sum()), np.int32)
    for end, length in zip(np.cumsum(lengths), lengths, strict=True):
        position = int(rng.integers(ITEMS))
        for step in range(end - length, end):
            is_successor = rng.random() < successor_rate
            position = (position + 1) % ITEMS if is_successor else int(rng.choice(ITEMS, p=probabilities))
            items[step] = item_ids[position]
    users_of_events = np.repeat(np.arange(users), lengths)
    timestamps = rng.integers(start_ms, start_ms + 40 * DAY_MS, items.size)
    # Sorts the timestamps of every user; lexsort takes the primary key last.
    timestamps = timestamps[np.lexsort((timestamps, users_of_events))]
    return Dataset(
        users, ITEMS, np.r_[0, np.cumsum(lengths)], items, timestamps, np.ones(items.size, np.float32)
    )


def shuffle_items(dataset: Dataset, seed: int) -> Dataset:
    """The same items in random order: popularity is unchanged, next items cannot be predicted."""
    item = np.random.default_rng(seed).permutation(dataset.item)
    return Dataset(dataset.n_users, dataset.n_items, dataset.indptr, item, dataset.timestamp, dataset.weight)


def fit_candidate(split: Split, model_names: tuple[str, ...] = CHEAP_MODELS, seed: int = 0) -> Ensemble:
    """Fits as a training job does before evaluation, without the test events."""
    return fit_ensemble(
        split.train,
        FitOptions(profile="fast", model_names=model_names, refit_on_all=False),
        rng=np.random.default_rng(seed),
    )


def evaluate_with_gate(
    candidate: Ensemble,
    split: Split,
    live: Ensemble | None = None,
    segments: tuple[SegmentColumns, SegmentColumns] = ((), ()),
) -> GateResult:
    numbers = np.arange(ITEMS, dtype=np.int32)
    bundle = Bundle(live, numbers) if live else None
    return gate.evaluate_candidate(
        candidate, split, bundle, numbers, live_is_fair=live is not None, segments=segments
    )


def list_reason_codes(result: GateResult) -> list[str]:
    return [reason.code for reason in result.reasons]
