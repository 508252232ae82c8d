"""Learns a sentiment head from labelled texts. Loads scikit-learn: workers and commands only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders import Encoder
from recommender.language.ngrams import BITS, marks
from recommender.language.sentiment import CUES, HeadCard, SentimentHead, cues
from recommender.language.texts import Language, clean
from recommender.types import Bools, DataError, Floats

LEAST_TEXTS = 40


@dataclass(frozen=True, slots=True)
class SentimentConfig:
    """strength is the inverse L2 penalty. The columns of marks are scaled by the log ratio of how often they stand in
    praise and in blame (Wang and Manning 2012, "Baselines and Bigrams"), to the power `ratio`: 0 leaves them as they
    are. tone_scale and vector_scale: how long cues and a text's vector are beside its marks. Without `words` a head can
    speak for a language that it has not seen. balanced: both kinds count as much, however many there are."""

    bits: int = BITS
    strength: float = 4.0
    ratio: float = 1.0
    smoothing: float = 1.0
    tone_scale: float = 1.0
    vector_scale: float = 1.0
    words: bool = True
    balanced: bool = False


def config_for(language: Language, *, with_encoder: bool = False) -> SentimentConfig:
    """What held-out tenths of training data chose; the same for every data set of a language."""
    if with_encoder:
        return SentimentConfig(ratio=0.0, strength=4.0, vector_scale=2.0)
    return SentimentConfig(ratio=0.0, strength=16.0, bits=BITS if language == "en" else 20)


def fit(  # noqa: PLR0913 - what one head is learned from, keyword-only
    texts: Sequence[str],
    praise: Bools,
    *,
    language: Language,
    encoder: Encoder | None = None,
    config: SentimentConfig | None = None,
    learned_from: str = "",
    counts: Floats | None = None,
    spoken: Sequence[Language] = (),
    start: SentimentHead | None = None,
) -> SentimentHead:
    """praise[i] says whether text i praises; counts[i] is how often it counts, spoken[i] its language where texts of both
    are mixed. `start` is a head of the same language and size, without an encoder, that knows more texts: what its words
    say is one more column, folded into the new head. Raises DataError for fewer than LEAST_TEXTS texts or one kind alone."""
    config = config or SentimentConfig()
    start = start and replace(start, network=None)
    cleaned = [clean(text) for text in texts]
    check(cleaned, praise)
    scale, blocks = np.zeros(1, np.float32), list[Any]()
    if config.words:
        found = marks(cleaned, bits=config.bits)
        scale = _log_ratio(found, praise, config)
        blocks.append(found.multiply(scale[None, :]))
    tones = [
        cues([text], one)[0] for text, one in zip(cleaned, spoken or [language] * len(cleaned), strict=True)
    ]
    blocks.append(np.stack(tones) * np.float32(config.tone_scale))
    if encoder is not None:
        blocks.append(encoder.vectors(cleaned) * np.float32(config.vector_scale))
    if start is not None:
        blocks.append(_by(start, cleaned, config)[:, None])
    weight, bias = _logistic(
        sparse.hstack(list(map(sparse.csr_matrix, blocks)), format="csr"), praise, config, counts
    )
    size, width = (scale.size if config.words else 0), (encoder.width if encoder else 0)
    head = SentimentHead(
        HeadCard(language, encoder.name if encoder else "", learned_from, len(cleaned), {}),
        weight[:size] * scale if config.words else scale,
        weight[size : size + CUES] * np.float32(config.tone_scale),
        weight[size + CUES : size + CUES + width] * np.float32(config.vector_scale),
        bias,
    )
    return head if start is None else _with(head, start, weight[-1])


def fit_pair(texts: Sequence[str], praise: Bools, config: SentimentConfig, **given: Any) -> SentimentHead:
    """The mean of a head with marks as they are and one with marks scaled by the log ratio: two linear heads, so one.

    `strength` is of the first; the second, whose marks are longer, has a sixteenth of it."""
    plain = fit(texts, praise, config=replace(config, ratio=0.0), **given)
    scaled = fit(texts, praise, config=replace(config, ratio=1.0, strength=config.strength / 16), **given)
    return _with(_halved(plain), scaled, np.float32(0.5))


def _halved(head: SentimentHead) -> SentimentHead:
    half = np.float32(0.5)
    return replace(
        head, words=half * head.words, tone=half * head.tone, vector=half * head.vector, bias=head.bias / 2
    )


def _by(start: SentimentHead, cleaned: Sequence[str], config: SentimentConfig) -> Floats:
    if start.vector.size or start.words.size != 1 << config.bits or not config.words:
        raise DataError("A head to start from must read words alone, as many as the new one.")
    return start.score(cleaned)


def _with(head: SentimentHead, start: SentimentHead, share: np.float32) -> SentimentHead:
    """The head plus `share` of the other: sums of linear heads are linear heads."""
    words, tone = head.words + share * start.words, head.tone + share * start.tone
    vector = head.vector + share * start.vector if start.vector.size else head.vector
    return replace(head, words=words, tone=tone, vector=vector, bias=head.bias + float(share) * start.bias)


def _logistic(
    columns: sparse.csr_matrix, praise: Bools, config: SentimentConfig, counts: Floats | None
) -> tuple[Floats, float]:
    learned = LogisticRegression(
        C=config.strength,
        max_iter=400,
        solver="liblinear",
        class_weight="balanced" if config.balanced else None,
    ).fit(columns, praise, sample_weight=counts)
    return learned.coef_[0].astype(np.float32), float(learned.intercept_[0])


def check(texts: Sequence[str], praise: Bools) -> None:
    """Raises DataError with one sentence."""
    if len(texts) < LEAST_TEXTS:
        raise DataError(
            f"A sentiment head needs at least {LEAST_TEXTS} labelled texts; there are {len(texts)}."
        )
    if praise.all() or not praise.any():
        raise DataError("A sentiment head needs texts that praise and texts that do not.")


def accuracy(
    head: SentimentHead, texts: Sequence[str], praise: Bools, encoder: Encoder | None = None
) -> float:
    return float(((head.score([clean(text) for text in texts], encoder) > 0) == praise).mean())


def with_figures(head: SentimentHead, measured: Mapping[str, float]) -> SentimentHead:
    card = HeadCard(
        head.card.language, head.card.encoder, head.card.learned_from, head.card.texts, dict(measured)
    )
    return replace(head, card=card)


def _log_ratio(found: sparse.csr_matrix, praise: Bools, config: SentimentConfig) -> Floats:
    """float32 (columns): how much more often a run stands in praise than in blame."""
    present = found.copy()
    present.data[:] = 1
    good = np.asarray(present[praise].sum(axis=0)).ravel() + config.smoothing
    bad = np.asarray(present[~praise].sum(axis=0)).ravel() + config.smoothing
    ratio = np.log((good / good.sum()) / (bad / bad.sum()))
    return np.asarray(
        np.sign(ratio) * np.abs(ratio) ** config.ratio if config.ratio else np.ones_like(ratio), np.float32
    )
