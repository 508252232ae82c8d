"""Learns a sentiment head from labelled texts. Loads scikit-learn: workers and commands only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.ngram_hashing import BITS, hash_ngrams
from recommender.language.preprocessing.text import Language, clean_text
from recommender.language.sentiment.classifier import (
    N_LEXICON_FEATURES,
    SentimentClassifier,
    SentimentMetadata,
    extract_lexicon_features,
)
from recommender.types import BoolArray, DataError, Float32Array

MIN_TEXTS = 40


@dataclass(frozen=True, slots=True)
class SentimentConfig:
    """strength is the inverse L2 penalty. The columns of marks are scaled by the log ratio of how often they stand in
    praise and in blame (Wang and Manning 2012, "Baselines and Bigrams"), to the power `ratio`: 0 leaves them as they
    are. tone_scale and vector_scale: how long cues and a text's vector are beside its marks. Without `words` a head can
    speak for a language that it has not seen. balanced: both kinds count as much, however many there are."""

    bits: int = BITS
    inverse_penalty: float = 4.0
    ratio_power: float = 1.0
    smoothing: float = 1.0
    lexicon_scale: float = 1.0
    embedding_scale: float = 1.0
    use_ngrams: bool = True
    balance_classes: bool = False


def get_default_config(language: Language, *, has_encoder: bool = False) -> SentimentConfig:
    """What held-out tenths of training data chose; the same for every data set of a language."""
    if has_encoder:
        return SentimentConfig(ratio_power=0.0, inverse_penalty=4.0, embedding_scale=2.0)
    return SentimentConfig(ratio_power=0.0, inverse_penalty=16.0, bits=BITS if language == "en" else 20)


def fit_sentiment_classifier(  # noqa: PLR0913 - what one head is learned from, keyword-only
    texts: Sequence[str],
    is_positive: BoolArray,
    *,
    language: Language,
    encoder: TextEncoder | None = None,
    config: SentimentConfig | None = None,
    learned_from: str = "",
    sample_weight: Float32Array | None = None,
    languages: Sequence[Language] = (),
    initial: SentimentClassifier | None = None,
) -> SentimentClassifier:
    """praise[i] says whether text i praises; counts[i] is how often it counts, spoken[i] its language where texts of both
    are mixed. `start` is a head of the same language and size, without an encoder, that knows more texts: what its words
    say is one more column, folded into the new head. Raises DataError for fewer than LEAST_TEXTS texts or one kind alone."""
    config = config or SentimentConfig()
    initial = initial and replace(initial, network=None)
    cleaned = [clean_text(text) for text in texts]
    validate_training_set(cleaned, is_positive)
    scale, blocks = np.zeros(1, np.float32), list[Any]()
    if config.use_ngrams:
        found = hash_ngrams(cleaned, bits=config.bits)
        scale = _compute_log_count_ratio(found, is_positive, config)
        blocks.append(found.multiply(scale[None, :]))
    tones = [
        extract_lexicon_features([text], one)[0]
        for text, one in zip(cleaned, languages or [language] * len(cleaned), strict=True)
    ]
    blocks.append(np.stack(tones) * np.float32(config.lexicon_scale))
    if encoder is not None:
        blocks.append(encoder.encode(cleaned) * np.float32(config.embedding_scale))
    if initial is not None:
        blocks.append(_score_with_initial(initial, cleaned, config)[:, None])
    weight, bias = _fit_logistic_regression(
        sparse.hstack(list(map(sparse.csr_matrix, blocks)), format="csr"), is_positive, config, sample_weight
    )
    size, width = (scale.size if config.use_ngrams else 0), (encoder.width if encoder else 0)
    head = SentimentClassifier(
        SentimentMetadata(language, encoder.name if encoder else "", learned_from, len(cleaned), {}),
        weight[:size] * scale if config.use_ngrams else scale,
        weight[size : size + N_LEXICON_FEATURES] * np.float32(config.lexicon_scale),
        weight[size + N_LEXICON_FEATURES : size + N_LEXICON_FEATURES + width]
        * np.float32(config.embedding_scale),
        bias,
    )
    return head if initial is None else _add_scaled(head, initial, weight[-1])


def fit_nbsvm_pair(
    texts: Sequence[str], is_positive: BoolArray, config: SentimentConfig, **fit_options: Any
) -> SentimentClassifier:
    """The mean of a head with marks as they are and one with marks scaled by the log ratio: two linear heads, so one.

    `strength` is of the first; the second, whose marks are longer, has a sixteenth of it."""
    plain = fit_sentiment_classifier(
        texts, is_positive, config=replace(config, ratio_power=0.0), **fit_options
    )
    scaled = fit_sentiment_classifier(
        texts,
        is_positive,
        config=replace(config, ratio_power=1.0, inverse_penalty=config.inverse_penalty / 16),
        **fit_options,
    )
    return _add_scaled(_scale_by_half(plain), scaled, np.float32(0.5))


def _scale_by_half(classifier: SentimentClassifier) -> SentimentClassifier:
    half = np.float32(0.5)
    return replace(
        classifier,
        ngram_weights=half * classifier.ngram_weights,
        lexicon_weights=half * classifier.lexicon_weights,
        embedding_weights=half * classifier.embedding_weights,
        bias=classifier.bias / 2,
    )


def _score_with_initial(
    initial: SentimentClassifier, cleaned: Sequence[str], config: SentimentConfig
) -> Float32Array:
    if (
        initial.embedding_weights.size
        or initial.ngram_weights.size != 1 << config.bits
        or not config.use_ngrams
    ):
        raise DataError("A head to start from must read words alone, as many as the new one.")
    return initial.score(cleaned)


def _add_scaled(
    classifier: SentimentClassifier, other: SentimentClassifier, weight: np.float32
) -> SentimentClassifier:
    """The head plus `share` of the other: sums of linear heads are linear heads."""
    words, tone = (
        classifier.ngram_weights + weight * other.ngram_weights,
        classifier.lexicon_weights + weight * other.lexicon_weights,
    )
    vector = (
        classifier.embedding_weights + weight * other.embedding_weights
        if other.embedding_weights.size
        else classifier.embedding_weights
    )
    return replace(
        classifier,
        ngram_weights=words,
        lexicon_weights=tone,
        embedding_weights=vector,
        bias=classifier.bias + float(weight) * other.bias,
    )


def _fit_logistic_regression(
    features: sparse.csr_matrix,
    is_positive: BoolArray,
    config: SentimentConfig,
    sample_weight: Float32Array | None,
) -> tuple[Float32Array, float]:
    learned = LogisticRegression(
        C=config.inverse_penalty,
        max_iter=400,
        solver="liblinear",
        class_weight="balanced" if config.balance_classes else None,
    ).fit(features, is_positive, sample_weight=sample_weight)
    return learned.coef_[0].astype(np.float32), float(learned.intercept_[0])


def validate_training_set(texts: Sequence[str], is_positive: BoolArray) -> None:
    """Raises DataError with one sentence."""
    if len(texts) < MIN_TEXTS:
        raise DataError(
            f"A sentiment head needs at least {MIN_TEXTS} labelled texts; there are {len(texts)}."
        )
    if is_positive.all() or not is_positive.any():
        raise DataError("A sentiment head needs texts that praise and texts that do not.")


def evaluate_accuracy(
    classifier: SentimentClassifier,
    texts: Sequence[str],
    is_positive: BoolArray,
    encoder: TextEncoder | None = None,
) -> float:
    return float(
        ((classifier.score([clean_text(text) for text in texts], encoder) > 0) == is_positive).mean()
    )


def replace_accuracies(
    classifier: SentimentClassifier, accuracies: Mapping[str, float]
) -> SentimentClassifier:
    card = SentimentMetadata(
        classifier.metadata.language,
        classifier.metadata.encoder,
        classifier.metadata.learned_from,
        classifier.metadata.texts,
        dict(accuracies),
    )
    return replace(classifier, metadata=card)


def _compute_log_count_ratio(
    ngram_features: sparse.csr_matrix, is_positive: BoolArray, config: SentimentConfig
) -> Float32Array:
    """float32 (columns): how much more often a run stands in praise than in blame."""
    present = ngram_features.copy()
    present.data[:] = 1
    good = np.asarray(present[is_positive].sum(axis=0)).ravel() + config.smoothing
    bad = np.asarray(present[~is_positive].sum(axis=0)).ravel() + config.smoothing
    ratio = np.log((good / good.sum()) / (bad / bad.sum()))
    return np.asarray(
        np.sign(ratio) * np.abs(ratio) ** config.ratio_power if config.ratio_power else np.ones_like(ratio),
        np.float32,
    )
