"""Evaluation of sentiment on Chinese data sets, with a common held-out tenth.

Imports scikit-learn, so only commands may import this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recommender.language.encoders.base import TextEncoder
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
from recommender.language.sentiment.evaluation import (
    NetworkTrainer,
    evaluate_sentiment,
    measure_throughput,
)
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import fit_nbsvm_pair


@dataclass(frozen=True, slots=True)
class _TrainTestTexts:
    train: LabelledTexts
    test: LabelledTexts


def evaluate_chinese_sets(
    paths: Mapping[str, Path],
    *,
    default_classifier: SentimentClassifier,
    encoder: TextEncoder,
    seed: int,
    train_network: NetworkTrainer | None = None,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Trains and evaluates a classifier for each data set, the largest first.

    The classifier of the largest set is the initial classifier of the others. With `train_network` the first network is
    tuned to the training texts of all sets together and belongs to the largest set; the networks of the other sets
    continue from it. A test text of any set is in no training set.

    Args:
        paths: labelled tables by name of the data set, at least one.
        default_classifier: the distributed classifier, for comparison.
        encoder: the encoder of `default_classifier`.
        seed: of the train/test split.
        train_network: fine-tunes a network; None for linear classifiers.

    Yields:
        Name and metrics of each set: the fields of `SentimentMetrics` and `reviews_per_second`.
    """
    sets = {name: read_labelled_table(path) for name, path in paths.items()}
    splits = _split_sets(sets, seed)
    common_network = None
    if train_network:
        all_texts = concatenate_texts(split.train for split in splits.values())
        common_network = train_network(all_texts.texts, all_texts.is_positive, None)
    largest, *smaller = sorted(sets, key=lambda name: -len(sets[name]))

    def evaluate(name: str, classifier: SentimentClassifier) -> tuple[str, Mapping[str, Any]]:
        train = splits[name].train
        metrics = evaluate_sentiment(
            train,
            splits[name].test,
            classifier=classifier,
            default_classifier=default_classifier,
            default_encoder=encoder,
        )
        reviews_per_second = measure_throughput(classifier, train.texts)
        return name, {
            **asdict(metrics),
            "reviews_per_second": reviews_per_second,
        }

    initial = _fit_classifier(splits[largest].train, initial=None, network=common_network)
    yield evaluate(largest, initial)
    for name in smaller:
        train = splits[name].train
        network = None
        if train_network:
            network = train_network(train.texts, train.is_positive, common_network)
        yield evaluate(name, _fit_classifier(train, initial=initial, network=network))


def _split_sets(sets: Mapping[str, LabelledTexts], seed: int) -> dict[str, _TrainTestTexts]:
    """A random tenth of each set for testing; training texts that occur in any test set are dropped."""
    train_sets, test_sets = {}, {}
    for name, texts in sets.items():
        train_rows, test_rows = split_train_test_rows(len(texts), seed=seed)
        train_sets[name] = texts.take(train_rows)
        test_sets[name] = texts.take(test_rows)
    test_keys = set[str]()
    for texts in test_sets.values():
        test_keys.update(map(_strip_whitespace, texts.texts))
    splits = {}
    for name, texts in train_sets.items():
        splits[name] = _TrainTestTexts(_drop_test_duplicates(texts, test_keys), test_sets[name])
    return splits


def _drop_test_duplicates(texts: LabelledTexts, test_keys: set[str]) -> LabelledTexts:
    rows = [row for row, text in enumerate(texts.texts) if _strip_whitespace(text) not in test_keys]
    return texts.take(np.array(rows, np.int64))


def _strip_whitespace(text: str) -> str:
    # Without any white space, because crawled Chinese texts differ in spaces that carry no meaning.
    return "".join(text.split())


def _fit_classifier(
    texts: LabelledTexts,
    *,
    initial: SentimentClassifier | None,
    network: OnnxSentimentNetwork | None,
) -> SentimentClassifier:
    options = SentimentFitOptions(
        language="zh",
        config=get_default_config("zh"),
        initial=initial,
    )
    classifier = fit_nbsvm_pair(texts.texts, texts.is_positive, options)
    return replace(classifier, network=network)
