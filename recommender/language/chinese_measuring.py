"""Sentiment on Chinese sets: each has a tenth that nothing has learned from. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from recommender.language.corpora import Labelled, held_out, read_table
from recommender.language.encoders import Encoder
from recommender.language.measuring import measure, reviews_a_second
from recommender.language.network import ReviewNetwork
from recommender.language.sentiment import SentimentHead
from recommender.language.sentiment_training import config_for, fit_pair
from recommender.types import Bools

Learning = Callable[[Sequence[str], Bools, ReviewNetwork | None], ReviewNetwork]


def measure_chinese(
    paths: Mapping[str, Path],
    *,
    shipped: SentimentHead,
    encoder: Encoder,
    seed: int,
    network: Learning | None = None,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The largest set first; the heads of the others start from its head.

    With `network` each head gets one: first one is tuned to the texts of all sets together, which is that of the largest
    set; those of the others go on from it. No head and no network has learned a text that stands in any set's tenth, in
    whatever set it came up. The TF-IDF baseline of a set learns from the same rows of that set."""
    sets = {name: read_table(path) for name, path in paths.items()}
    parts = {name: held_out(len(texts), seed=seed) for name, texts in sets.items()}
    asked = {_squeezed(sets[name].texts[row]) for name in sets for row in parts[name][1].tolist()}
    learn = {name: _unseen(texts.take(parts[name][0]), asked) for name, texts in sets.items()}
    every = sum(learn.values(), Labelled((), np.empty(0, np.bool_)))
    common = network(every.texts, every.praise, None) if network else None
    start: SentimentHead | None = None
    for name in sorted(sets, key=lambda one: -len(sets[one])):
        given, test = learn[name], sets[name].take(parts[name][1])
        own = network(given.texts, given.praise, common) if network and start else common
        words = fit_pair(given.texts, given.praise, config_for("zh"), language="zh", start=start)
        head = replace(words, network=own)
        finding = measure(given, test, head=head, shipped=shipped, shipped_encoder=encoder)
        yield name, {**asdict(finding), "reviews_a_second": reviews_a_second(head, given.texts)}
        start = start or head


def _unseen(texts: Labelled, asked: set[str]) -> Labelled:
    rows = [row for row, text in enumerate(texts.texts) if _squeezed(text) not in asked]
    return texts.take(np.array(rows, np.int64))


def _squeezed(text: str) -> str:
    return "".join(text.split())
