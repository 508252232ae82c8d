"""Quality of a model version, as the models page and the reports show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from lepton_platform.portal.messages import translate_exclusion, translate_sentence, translate_skip_reason
from lepton_platform.portal.presenters.json_values import get_mapping, get_number
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
from recommender.registry.version_metrics import VersionMetrics

NDCG, RECALL, COVERAGE = "ndcg@10", "recall@10", "coverage@10"


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """One model of the ensemble, measured alone on the validation events that the blend weights were fitted on.

    `weight` is its fraction of all blend weights. `ndcg_without` is the nDCG of the best blend without it.
    `exclusion_reason` is the text why it is not part of the ensemble; empty if it is.
    """

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
    """Test metrics of a version and the counts of its training data; None where nothing was measured.

    `skipped_events` and `skipped_reviews` are (reason, count), the largest count first.
    """

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
        """Relative gain in nDCG over popularity; None if either is unknown or popularity's is zero."""
        if self.ndcg is None or not self.popularity_ndcg:
            return None
        return self.ndcg / self.popularity_ndcg - 1

    @property
    def uplift_class(self) -> str:
        """CSS class of the uplift."""
        return "text-success" if self.uplift is not None and self.uplift >= 0 else "text-warning"

    @property
    def can_promote(self) -> bool:
        """Whether the version can be activated by hand."""
        return self.version.has_artefact and self.version.state in ("candidate", "retired")

    @property
    def slices(self) -> list[SliceMetrics]:
        """Quality per group of profiles and items, the largest group first."""
        return present_slices(self.version)

    @property
    def online_metrics(self) -> OnlineMetrics | None:
        """What followed the version's recommendations; None before the first analysis."""
        return present_online_metrics(self.version)

    @property
    def click_rate(self) -> float | None:
        """Fraction of the version's recommendations that were clicked; None before the first analysis."""
        rates = get_mapping(self.version.live, "rates").get("clicks")
        # (rate of this version, rate of the baseline version)
        return float(rates[0]) if rates else None

    @property
    def drift(self) -> DriftSummary | None:
        """Distance between recent and training data; None before the first measurement."""
        return present_drift(self.version)

    @property
    def decision_text(self) -> str:
        """Why the version was refused or rolled back, in the reader's language; empty if it was not."""
        if self.version.reasons:
            return translate_reasons(self.version.reasons)
        return translate_sentence(self.version.reason)


def present_quality(version: VersionView) -> ModelQuality:
    """Reads the stored metrics of a version."""
    metrics = version.parsed_metrics
    n_reviews = None
    n_reviewed_items = None
    if metrics.reviews.stored:
        # A tenant without reviews has no lines about them.
        n_reviews = metrics.reviews.read
        n_reviewed_items = metrics.reviews.items
    return ModelQuality(
        version=version,
        ndcg=get_number(metrics.candidate, NDCG),
        recall=get_number(metrics.candidate, RECALL),
        coverage=get_number(metrics.candidate, COVERAGE),
        popularity_ndcg=get_number(metrics.popularity, NDCG),
        n_cases=metrics.cases,
        models=_present_models(metrics),
        n_training_events=metrics.data.events or None,
        skipped_events=_list_skipped(metrics.data.events_skipped),
        n_reviews=n_reviews,
        skipped_reviews=_list_skipped(metrics.reviews.skipped),
        n_reviewed_items=n_reviewed_items,
    )


def build_quality_chart(versions: Sequence[VersionView]) -> dict[str, Any] | None:
    """Returns the chart of nDCG over versions, oldest first, or None if no version was measured.

    `versions` are ordered newest first, as the registry lists them.
    """
    labels = []
    model_ndcg = []
    popularity_ndcg = []
    for version in reversed(versions):
        quality = present_quality(version)
        if quality.ndcg is None:
            continue
        labels.append(f"{version.name} · {format_short_day(localtime(version.trained_at))}")
        model_ndcg.append(quality.ndcg)
        popularity_ndcg.append(quality.popularity_ndcg)
    if not labels:
        return None
    return {
        "labels": labels,
        "series": [
            build_chart_line(_("This model"), model_ndcg, filled=True),
            build_chart_line(_("Popularity"), popularity_ndcg, dashed=True),
        ],
    }


def _present_models(metrics: VersionMetrics) -> list[ModelMetrics]:
    """Lists the models by descending weight, then those that could not be trained."""
    dropped = get_mapping(metrics.selection, "dropped")
    models = [_present_model(name, metrics) for name in {**metrics.weights, **dropped}]
    models.sort(key=lambda model: -(model.weight or 0.0))
    # Skipped models have neither a weight nor metrics.
    for name, reason in metrics.models_skipped.items():
        models.append(ModelMetrics(name, exclusion_reason=translate_sentence(reason)))
    return models


def _present_model(name: str, metrics: VersionMetrics) -> ModelMetrics:
    # Weights are not normalised when they are stored.
    total_weight = sum(metrics.weights.values()) or 1.0
    validation = get_mapping(metrics.validation or {}, name)
    dropped = get_mapping(metrics.selection, "dropped")
    return ModelMetrics(
        name=name,
        weight=metrics.weights.get(name, 0.0) / total_weight,
        ndcg=get_number(validation, NDCG),
        recall=get_number(validation, RECALL),
        coverage=get_number(validation, COVERAGE),
        ndcg_without=get_number(get_mapping(metrics.selection, "ndcg_without"), name),
        seconds=metrics.seconds.get(name),
        exclusion_reason=translate_exclusion(str(dropped.get(name, ""))),
    )


def _list_skipped(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Returns (translated reason, count) without zero counts, the largest first."""
    skipped = []
    for reason, count in counts.items():
        if count:
            skipped.append((translate_skip_reason(reason), count))
    # sort() is stable, so reasons with equal counts keep their stored order.
    skipped.sort(key=lambda row: -row[1])
    return skipped
