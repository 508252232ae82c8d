"""The result of ranking: scores of all slots, and what explanations are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recommender.serving.content_scoring import SlotArray
from recommender.serving.rules.matching import ActiveRule
from recommender.serving.types import Stage
from recommender.types import Float32Array

_MIN_DEVIATION = 1e-12


@dataclass(
    frozen=True,
    slots=True,
)
class ScoreStats:
    """Mean and standard deviation of one model's raw scores over all items of the model."""

    mean: float
    deviation: float

    @classmethod
    def from_scores(cls, scores: Float32Array) -> ScoreStats:
        """Computes both in float32, as the ensemble standardises scores."""
        return cls(float(scores.mean()), float(scores.std()))

    @property
    def is_constant(self) -> bool:
        """Whether the model gives all items the same score, so that it cannot be standardised."""
        return self.deviation <= _MIN_DEVIATION


NO_STATS = ScoreStats(0.0, 0.0)


@dataclass(
    frozen=True,
    slots=True,
)
class Ranking:
    """Scores of one request and what explanations need to be computed from them.

    Attributes:
        stage: the stage of the fallback chain that was used.
        scores: float32 (slots); -inf for slots that the stage cannot score.
        history: slots of the history, oldest first.
        weight: float32 (history), the weight of each event.
        score_stats: by model name, statistics of the raw scores; empty unless needed.
        model_scores: by model name, standardised scores of the model's items; empty unless reasons were requested.
        active_rules: rules that apply to the user and were added to the scores.
    """

    stage: Stage
    scores: Float32Array
    history: SlotArray
    weight: Float32Array
    score_stats: Mapping[str, ScoreStats] = field(default_factory=dict)
    model_scores: Mapping[str, Float32Array] = field(default_factory=dict)
    active_rules: Sequence[ActiveRule] = ()
