"""Training of the linear sentiment classifier. Imports scikit-learn, so only workers and commands may import this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.ngram_hashing import hash_ngrams
from recommender.language.preprocessing.text import Language, clean_text
from recommender.language.sentiment.classifier import (
    N_LEXICON_FEATURES,
    SentimentClassifier,
    SentimentMetadata,
    extract_lexicon_features,
)
from recommender.language.sentiment.config import (
    SentimentConfig,
    SentimentFitOptions,
)
from recommender.types import BoolArray, DataError, Float32Array

MIN_TEXTS = 40


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """Columns of the feature blocks in the design matrix; the slice of an absent block is empty."""

    ngrams: slice
    lexicon: slice
    embedding: slice
    initial: slice

    @classmethod
    def from_options(cls, options: SentimentFitOptions) -> ColumnLayout:
        """Returns the layout of the blocks that the options ask for."""
        ngrams_end = 1 << options.config.bits if options.config.use_ngrams else 0
        lexicon_end = ngrams_end + N_LEXICON_FEATURES
        embedding_end = lexicon_end + (options.encoder.width if options.encoder else 0)
        return cls(
            ngrams=slice(0, ngrams_end),
            lexicon=slice(ngrams_end, lexicon_end),
            embedding=slice(lexicon_end, embedding_end),
            initial=slice(embedding_end, None),
        )


def fit_sentiment_classifier(
    texts: Sequence[str],
    is_positive: BoolArray,
    options: SentimentFitOptions,
    *,
    languages: Sequence[Language] = (),
    sample_weight: Float32Array | None = None,
) -> SentimentClassifier:
    """Fits a logistic regression over n-grams, opinion words and, with an encoder, embeddings.

    Args:
        texts: training texts; they are cleaned here.
        is_positive: bool (len(texts)), the labels.
        options: language, hyper-parameters, encoder and initial classifier.
        languages: the language of each text, if they differ from `options.language`.
        sample_weight: float32 (len(texts)), 1 for each text if None.

    Returns:
        A classifier without a network and without accuracies.

    Raises:
        DataError: fewer than MIN_TEXTS texts, only one label, or an unsuitable initial classifier.
    """
    config = options.config
    cleaned = list(map(clean_text, texts))
    validate_training_set(cleaned, is_positive)
    ngram_weights = np.zeros(1, np.float32)  # of a classifier without n-grams
    blocks = _build_dense_blocks(cleaned, languages, options)
    if config.use_ngrams:
        # n-grams are the first block of `ColumnLayout`.
        ngrams = hash_ngrams(cleaned, bits=config.bits)
        ngram_scale = _compute_log_count_ratio(ngrams, is_positive, config)
        blocks.insert(0, ngrams.multiply(ngram_scale[None, :]))
    design_matrix = sparse.hstack(list(map(sparse.csr_matrix, blocks)), format="csr")
    weight, bias = _fit_logistic_regression(design_matrix, is_positive, config, sample_weight)
    # Weights times column scales: the classifier applies to unscaled features.
    layout = ColumnLayout.from_options(options)
    if config.use_ngrams:
        ngram_weights = weight[layout.ngrams] * ngram_scale
    classifier = SentimentClassifier(
        metadata=SentimentMetadata(
            language=options.language,
            encoder=options.encoder.name if options.encoder else "",
            learned_from=options.learned_from,
            texts=len(cleaned),
            measured={},
        ),
        ngram_weights=ngram_weights,
        lexicon_weights=weight[layout.lexicon] * np.float32(config.lexicon_scale),
        embedding_weights=weight[layout.embedding] * np.float32(config.embedding_scale),
        bias=bias,
    )
    if options.initial is None:
        return classifier
    initial_weight = float(weight[layout.initial][0])
    return _combine_linearly(classifier, options.initial, weight=1.0, other_weight=initial_weight)


def fit_nbsvm_pair(
    texts: Sequence[str],
    is_positive: BoolArray,
    options: SentimentFitOptions,
) -> SentimentClassifier:
    """Returns the mean of a classifier with unscaled n-grams and one with n-grams scaled by the log-count ratio.

    The scaling is that of NB-SVM (Wang and Manning 2012, "Baselines and Bigrams"). `options.config.inverse_penalty` is
    that of the unscaled classifier; the scaled one, whose columns are longer, uses a sixteenth. See
    `fit_sentiment_classifier` for arguments and errors."""
    config = options.config
    unscaled = replace(config, ratio_power=0.0)
    scaled = replace(config, ratio_power=1.0, inverse_penalty=config.inverse_penalty / 16)
    return _combine_linearly(
        fit_sentiment_classifier(texts, is_positive, replace(options, config=unscaled)),
        fit_sentiment_classifier(texts, is_positive, replace(options, config=scaled)),
        weight=0.5,
        other_weight=0.5,
    )


def _build_dense_blocks(
    texts: Sequence[str],
    languages: Sequence[Language],
    options: SentimentFitOptions,
) -> list[Any]:
    """Scaled feature blocks (len(texts), columns) in the order of `ColumnLayout`, without the n-grams."""
    lexicon_features = np.zeros((len(texts), N_LEXICON_FEATURES), np.float32)
    for row, language in enumerate(languages or [options.language] * len(texts)):
        lexicon_features[row] = extract_lexicon_features([texts[row]], language)[0]
    blocks = [lexicon_features * np.float32(options.config.lexicon_scale)]
    if options.encoder is not None:
        embeddings = options.encoder.encode(texts)
        blocks.append(embeddings * np.float32(options.config.embedding_scale))
    if options.initial is not None:
        blocks.append(_score_with_initial(options.initial, texts, options.config)[:, None])
    return blocks


def _score_with_initial(
    initial: SentimentClassifier, texts: Sequence[str], config: SentimentConfig
) -> Float32Array:
    has_same_columns = config.use_ngrams and initial.ngram_weights.size == 1 << config.bits
    if initial.embedding_weights.size or not has_same_columns:
        raise DataError(
            "A classifier to start from must have no encoder and as many n-gram weights as the new one."
        )
    return replace(initial, network=None).score(texts)


def _combine_linearly(
    classifier: SentimentClassifier,
    other: SentimentClassifier,
    *,
    weight: float,
    other_weight: float,
) -> SentimentClassifier:
    """The classifier whose score is the weighted sum of both scores: sums of linear models are linear models."""
    factor = np.float32(weight)
    other_factor = np.float32(other_weight)
    ngram_weights = factor * classifier.ngram_weights + other_factor * other.ngram_weights
    lexicon_weights = factor * classifier.lexicon_weights + other_factor * other.lexicon_weights
    embedding_weights = factor * classifier.embedding_weights
    # An initial classifier has no embedding weights, even if the new one has.
    if other.embedding_weights.size:
        embedding_weights = embedding_weights + other_factor * other.embedding_weights
    return replace(
        classifier,
        ngram_weights=ngram_weights,
        lexicon_weights=lexicon_weights,
        embedding_weights=embedding_weights,
        bias=weight * classifier.bias + other_weight * other.bias,
    )


def _fit_logistic_regression(
    features: sparse.csr_matrix,
    is_positive: BoolArray,
    config: SentimentConfig,
    sample_weight: Float32Array | None,
) -> tuple[Float32Array, float]:
    """Weights float32 (columns) and bias."""
    model = LogisticRegression(
        C=config.inverse_penalty,
        max_iter=400,
        solver="liblinear",
        class_weight="balanced" if config.balance_classes else None,
    )
    model.fit(features, is_positive, sample_weight=sample_weight)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def _compute_log_count_ratio(
    ngram_features: sparse.csr_matrix,
    is_positive: BoolArray,
    config: SentimentConfig,
) -> Float32Array:
    """float32 (columns): log of the ratio of an n-gram's frequencies in positive and negative texts, to a signed power."""
    if not config.ratio_power:
        return np.ones(ngram_features.shape[1], np.float32)
    counts = ngram_features.copy()
    counts.data[:] = 1
    # sum(axis=0) of a sparse matrix is a np.matrix of shape (1, columns); ravel makes it one-dimensional.
    positive = np.asarray(counts[is_positive].sum(axis=0)).ravel()
    negative = np.asarray(counts[~is_positive].sum(axis=0)).ravel()
    positive = positive + config.smoothing
    negative = negative + config.smoothing
    positive_frequency = positive / positive.sum()
    negative_frequency = negative / negative.sum()
    ratio = np.log(positive_frequency / negative_frequency)
    scale = np.sign(ratio) * np.abs(ratio) ** config.ratio_power
    return np.asarray(scale, np.float32)


def validate_training_set(texts: Sequence[str], is_positive: BoolArray) -> None:
    """Raises DataError for fewer than MIN_TEXTS texts or a single label."""
    if len(texts) < MIN_TEXTS:
        raise DataError(
            f"A sentiment classifier needs at least {MIN_TEXTS} labelled texts; there are {len(texts)}."
        )
    if is_positive.all() or not is_positive.any():
        raise DataError("A sentiment classifier needs positive and negative texts.")


def evaluate_accuracy(
    classifier: SentimentClassifier,
    texts: Sequence[str],
    is_positive: BoolArray,
    encoder: TextEncoder | None = None,
) -> float:
    """Returns the fraction of texts whose label is predicted correctly.

    Args:
        classifier: the classifier to evaluate.
        texts: test texts; they are cleaned here.
        is_positive: bool (len(texts)), the labels.
        encoder: the encoder of the classifier, if it has one.
    """
    scores = classifier.score(list(map(clean_text, texts)), encoder)
    return float(((scores > 0) == is_positive).mean())


def replace_accuracies(
    classifier: SentimentClassifier, accuracies: Mapping[str, float]
) -> SentimentClassifier:
    """Returns the classifier with other accuracies in its metadata."""
    metadata = replace(classifier.metadata, measured=dict(accuracies))
    return replace(classifier, metadata=metadata)
