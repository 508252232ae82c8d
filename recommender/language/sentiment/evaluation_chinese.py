"""Sentiment on Chinese sets: each has a tenth that nothing has learned from. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.corpora import (
    LabelledTexts,
    read_labelled_table,
    split_train_test_rows,
)
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.evaluation import evaluate_sentiment, measure_throughput
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import fit_nbsvm_pair, get_default_config
from recommender.types import BoolArray

NetworkTrainer = Callable[[Sequence[str], BoolArray, OnnxSentimentNetwork | None], OnnxSentimentNetwork]


def evaluate_chinese_sets(
    paths: Mapping[str, Path],
    *,
    default_classifier: SentimentClassifier,
    encoder: TextEncoder,
    seed: int,
    train_network: NetworkTrainer | None = None,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The largest set first; the heads of the others start from its head.

    With `network` each head gets one: first one is tuned to the texts of all sets together, which is that of the largest
    set; those of the others go on from it. No head and no network has learned a text that stands in any set's tenth, in
    whatever set it came up. The TF-IDF baseline of a set learns from the same rows of that set."""
    sets = {name: read_labelled_table(path) for name, path in paths.items()}
    parts = {name: split_train_test_rows(len(texts), seed=seed) for name, texts in sets.items()}
    asked = {_strip_whitespace(sets[name].texts[row]) for name in sets for row in parts[name][1].tolist()}
    learn = {name: _drop_test_duplicates(texts.take(parts[name][0]), asked) for name, texts in sets.items()}
    every = sum(learn.values(), LabelledTexts((), np.empty(0, np.bool_)))
    common = train_network(every.texts, every.is_positive, None) if train_network else None
    start: SentimentClassifier | None = None
    for name in sorted(sets, key=lambda one: -len(sets[one])):
        given, test = learn[name], sets[name].take(parts[name][1])
        own = train_network(given.texts, given.is_positive, common) if train_network and start else common
        words = fit_nbsvm_pair(
            given.texts, given.is_positive, get_default_config("zh"), language="zh", start=start
        )
        head = replace(words, network=own)
        finding = evaluate_sentiment(
            given, test, classifier=head, default_classifier=default_classifier, default_encoder=encoder
        )
        yield name, {**asdict(finding), "reviews_per_second": measure_throughput(head, given.texts)}
        start = start or head


def _drop_test_duplicates(texts: LabelledTexts, test_keys: set[str]) -> LabelledTexts:
    rows = [row for row, text in enumerate(texts.texts) if _strip_whitespace(text) not in test_keys]
    return texts.take(np.array(rows, np.int64))


def _strip_whitespace(text: str) -> str:
    return "".join(text.split())
