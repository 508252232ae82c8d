"""What a model version's metrics say, in the words of the models page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from lepton_platform.portal.messages import (
    translate_decision,
    translate_exclusion,
    translate_sentence,
    translate_skip_reason,
)
from lepton_platform.portal.presenters.model_monitoring import (
    DriftSummary,
    OnlineMetrics,
    SliceMetrics,
    present_drift,
    present_online_metrics,
    present_slices,
)
from lepton_platform.portal.presenters.statistics import build_chart_line, format_short_day
from recommender.registry.reasons import translate_reasons
from recommender.registry.types import VersionView

NDCG, RECALL, COVERAGE = "ndcg@10", "recall@10", "coverage@10"


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """`weight` is a share of all. Measured alone on the events that taught the blend its weights, and `without` is the
    nDCG of the best blend without it on them; `left_out` says why it is not part."""

    name: str
    weight: float | None = None
    ndcg: float | None = None
    recall: float | None = None
    coverage: float | None = None
    ndcg_without: float | None = None
    seconds: float | None = None
    exclusion_reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelQuality:
    """`learned` counts the events of the training; `left_out` those that were stored and not learned from, by reason."""

    version: VersionView
    ndcg: float | None
    recall: float | None
    coverage: float | None
    popularity_ndcg: float | None
    n_cases: int
    models: list[ModelMetrics]
    n_training_events: int | None = None
    skipped_events: list[tuple[str, int]] = field(default_factory=list)
    n_reviews: int | None = None
    skipped_reviews: list[tuple[str, int]] = field(default_factory=list)
    n_reviewed_items: int | None = None

    @property
    def uplift(self) -> float | None:
        """Relative gain in nDCG over popularity; None where either is unknown or zero."""
        if self.ndcg is None or not self.popularity_ndcg:
            return None
        return self.ndcg / self.popularity_ndcg - 1

    @property
    def can_promote(self) -> bool:
        return self.version.has_artefact and self.version.state in ("candidate", "retired")

    @property
    def slices(self) -> list[SliceMetrics]:
        return present_slices(self.version)

    @property
    def online_metrics(self) -> OnlineMetrics | None:
        return present_online_metrics(self.version)

    @property
    def click_rate(self) -> float | None:
        """The share of its answers that were clicked; None before the first look."""
        rates = _ensure_mapping(self.version.live.get("rates")).get("clicks")
        return float(rates[0]) if rates else None

    @property
    def drift(self) -> DriftSummary | None:
        return present_drift(self.version)

    @property
    def decision_text(self) -> str:
        """Rows that earlier versions wrote have a sentence and no codes."""
        return (
            translate_reasons(self.version.reasons)
            if self.version.reasons
            else translate_decision(self.version.reason)
        )


def present_quality(version: VersionView) -> ModelQuality:
    metrics = version.metrics
    served, reviews = _ensure_mapping(metrics.get("served")), _ensure_mapping(metrics.get("reviews"))
    return ModelQuality(
        version=version,
        ndcg=_get_number(served, NDCG),
        recall=_get_number(served, RECALL),
        coverage=_get_number(served, COVERAGE),
        popularity_ndcg=_get_number(_ensure_mapping(metrics.get("popularity")), NDCG),
        n_cases=int(metrics.get("cases") or 0),
        models=_present_models(metrics),
        n_training_events=_parse_integer(_ensure_mapping(metrics.get("data")).get("events")),
        skipped_events=_list_skipped(
            _ensure_mapping(_ensure_mapping(metrics.get("data")).get("events_skipped"))
        ),
        n_reviews=_parse_integer(reviews.get("read")) if reviews.get("stored") else None,
        skipped_reviews=_list_skipped(_ensure_mapping(reviews.get("skipped"))),
        n_reviewed_items=_parse_integer(reviews.get("items")),
    )


def build_quality_chart(versions: Sequence[VersionView]) -> dict[str, Any] | None:
    """The chart of quality over versions, oldest first; None while fewer than one was measured."""
    measured = [one for one in map(present_quality, reversed(versions)) if one.ndcg is not None]
    if not measured:
        return None
    return {
        "labels": [f"{one.version.name} · {_format_day(one.version)}" for one in measured],
        "series": [
            build_chart_line(_("This model"), [one.ndcg for one in measured], filled=True),
            build_chart_line(_("Popularity"), [one.popularity_ndcg for one in measured], dashed=True),
        ],
    }


def _present_models(metrics: Mapping[str, Any]) -> list[ModelMetrics]:
    """The heaviest first, those that could not learn last."""
    weights, seconds = _ensure_mapping(metrics.get("weights")), _ensure_mapping(metrics.get("seconds"))
    measured = _ensure_mapping(metrics.get("validation"))
    selection = _ensure_mapping(metrics.get("selection"))
    without, dropped = (
        _ensure_mapping(selection.get("ndcg_without")),
        _ensure_mapping(selection.get("dropped")),
    )
    total = sum(float(weight) for weight in weights.values()) or 1.0
    found = [
        ModelMetrics(
            name=name,
            weight=float(weights.get(name, 0.0)) / total,
            ndcg=_get_number(_ensure_mapping(measured.get(name)), NDCG),
            recall=_get_number(_ensure_mapping(measured.get(name)), RECALL),
            coverage=_get_number(_ensure_mapping(measured.get(name)), COVERAGE),
            ndcg_without=_get_number(without, name),
            seconds=_get_number(seconds, name),
            exclusion_reason=translate_exclusion(str(dropped.get(name, ""))),
        )
        for name in {**weights, **dropped}
    ]
    left_out = _ensure_mapping(metrics.get("models_skipped"))
    return sorted(found, key=lambda member: -(member.weight or 0.0)) + [
        ModelMetrics(name, exclusion_reason=translate_sentence(str(reason)))
        for name, reason in left_out.items()
    ]


def _list_skipped(counts: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The most first."""
    found = [
        (translate_skip_reason(reason), n) for reason, count in counts.items() if (n := _parse_integer(count))
    ]
    return sorted(found, key=lambda one: -one[1])


def _parse_integer(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _ensure_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _get_number(metrics: Mapping[str, Any], name: str) -> float | None:
    value = metrics.get(name)
    return float(value) if isinstance(value, int | float) else None


def _format_day(version: VersionView) -> str:
    return format_short_day(localtime(version.trained_at))
