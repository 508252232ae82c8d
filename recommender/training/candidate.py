"""The result of one training before it is published."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.registry.version_metrics import VersionMetrics


@dataclass(frozen=True, slots=True)
class CandidateModel:
    """A trained ensemble with the gate's decision.

    Attributes:
        ensemble: what may be published; None if the gate refused it and nothing may serve in its place.
        reasons: why the trained model does not serve as trained; empty if it does.
        metrics: the metrics of the version.
    """

    ensemble: Ensemble | None
    reasons: tuple[DecisionReason, ...]
    metrics: VersionMetrics
