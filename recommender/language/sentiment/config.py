"""Hyper-parameters and training options of the linear sentiment classifier."""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.ngram_hashing import BITS
from recommender.language.preprocessing.text import Language
from recommender.language.sentiment.classifier import SentimentClassifier


@dataclass(frozen=True, slots=True)
class SentimentConfig:
    """Hyper-parameters of a linear classifier.

    Attributes:
        bits: binary logarithm of the number of n-gram columns.
        inverse_penalty: inverse of the L2 penalty (C of scikit-learn).
        ratio_power: n-gram columns are scaled by their log-count ratio to this power; 0 leaves them unscaled.
        smoothing: added to the counts of the log-count ratio.
        lexicon_scale: factor of the lexicon features, relative to n-gram rows of norm 1.
        embedding_scale: factor of the embedding, relative to n-gram rows of norm 1.
        use_ngrams: False for a classifier that is to transfer to a language without training texts.
        balance_classes: weight both labels equally, whatever their number of texts.
    """

    bits: int = BITS
    inverse_penalty: float = 4.0
    ratio_power: float = 1.0
    smoothing: float = 1.0
    lexicon_scale: float = 1.0
    embedding_scale: float = 1.0
    use_ngrams: bool = True
    balance_classes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentFitOptions:
    """How a classifier is trained.

    Attributes:
        language: language of the classifier.
        config: hyper-parameters.
        encoder: embeds the texts; None for a classifier without embedding weights.
        initial: a classifier of the same language and number of n-gram columns, without an encoder, that was trained on
            other texts. Its score is one more feature, which is folded into the new weights; its network is ignored.
        learned_from: names of the data sets, for the metadata.
    """

    language: Language
    config: SentimentConfig = field(default_factory=SentimentConfig)
    encoder: TextEncoder | None = None
    initial: SentimentClassifier | None = None
    learned_from: str = ""


def get_default_config(language: Language, *, has_encoder: bool = False) -> SentimentConfig:
    """Returns hyper-parameters that were chosen on held-out tenths of training data, the same for all data sets."""
    if has_encoder:
        return SentimentConfig(ratio_power=0.0, inverse_penalty=4.0, embedding_scale=2.0)
    bits = BITS if language == "en" else 20
    return SentimentConfig(ratio_power=0.0, inverse_penalty=16.0, bits=bits)
