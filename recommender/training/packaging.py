"""Turns a candidate into a trained model: quantises it, writes the encrypted artefact, and completes its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
from uuid_utils.compat import uuid7

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.fitting.quantization import quantize_ensemble
from recommender.fitting.training_profiles import TrainingProfileName
from recommender.registry import artefacts
from recommender.registry.bundle import Bundle
from recommender.registry.types import TrainedModel
from recommender.registry.version_metrics import FullTraining, TrainingDataSummary, VersionMetrics
from recommender.tenant_data.interactions import TrainingData
from recommender.training.candidate import CandidateModel
from recommender.training.gate import GateMetrics
from recommender.training.side_data import EnrichedData
from recommender.types import DataError
from tenants.regions import TenantRef


@dataclass(
    frozen=True,
    slots=True,
)
class TrainingDetails:
    """What the metrics say of how a model was trained; the fields are those of `VersionMetrics`."""

    protocol: str | None
    settings: Mapping[str, Mapping[str, Any]]
    tuning: Mapping[str, Any] | None = None
    refreshed_from: int | None = None
    full: FullTraining | None = None


def package_model(
    tenant: TenantRef,
    job_id: UUID,
    candidate: CandidateModel,
    enriched: EnrichedData,
    *,
    profile: TrainingProfileName,
) -> TrainedModel:
    """Quantises the candidate and writes its artefact, before any row names it; a refused candidate has no artefact.

    Raises DataError if the written files do not give the scores of the trained model.
    """
    artefact_id = uuid7()
    manifest: Mapping[str, Any] = {}
    metrics = msgspec.structs.replace(candidate.metrics, reviews=enriched.count_reviews())
    if candidate.ensemble is not None:
        ensemble = quantize_ensemble(candidate.ensemble)
        files = Bundle(ensemble, enriched.training_data.item_numbers, enriched.review_summaries).to_files()
        _check_round_trip(ensemble, files)
        manifest = artefacts.write_artefact(tenant, artefact_id, files)
        quantization = ensemble.training_report.get("quantization")
        metrics = msgspec.structs.replace(metrics, quantization=quantization)
    return TrainedModel(
        job_id=job_id,
        artefact_id=artefact_id,
        profile=profile,
        manifest=manifest,
        metrics=metrics.to_json(),
        trained_at=datetime.now(UTC),
        latest_event_at=enriched.training_data.latest_event_at,
        refused=candidate.ensemble is None,
        reasons=candidate.reasons,
    )


def build_version_metrics(
    ensemble: Ensemble,
    training_data: TrainingData,
    gate_metrics: GateMetrics,
    details: TrainingDetails,
) -> VersionMetrics:
    """The metrics of a trained model; reviews and quantisation are added when it is packaged."""
    report = ensemble.training_report
    return VersionMetrics(
        serving_mode="model",
        **asdict(gate_metrics),
        protocol=details.protocol,
        settings={name: dict(values) for name, values in details.settings.items()},
        tuning=None if details.tuning is None else dict(details.tuning),
        refreshed_from=details.refreshed_from,
        full=details.full,
        weights=dict(ensemble.blend.weights),
        validation=report.get("validation"),
        selection=report.get("selection", {}),
        reranker=report.get("reranker", {}),
        models_skipped=report.get("skipped", {}),
        seconds=report.get("seconds", {}),
        data=_summarize_data(training_data),
    )


def _summarize_data(training_data: TrainingData) -> TrainingDataSummary:
    skipped_events = {name: count for name, count in training_data.skipped_events.items() if count}
    return TrainingDataSummary(
        profiles=training_data.dataset.n_users,
        items=training_data.dataset.n_items,
        events=training_data.dataset.n_events,
        events_stored=training_data.n_stored_events,
        events_skipped=skipped_events,
        cleaning=training_data.cleaning.to_json(),
    )


def _check_round_trip(ensemble: Ensemble, files: Mapping[str, bytes]) -> None:
    """Raises DataError unless the model read back from its files gives the scores of the model that was evaluated."""
    # A short history of the first items is enough: it passes through every model of the ensemble.
    history = np.arange(min(ensemble.items, 5), dtype=np.int32)
    restored = Bundle.from_files(files).ensemble
    scores, restored_scores = ensemble.score_history(history), restored.score_history(history)
    # Files hold some arrays in half precision.
    if not np.allclose(scores, restored_scores, atol=1e-3):
        raise DataError("The exported model does not score like the trained one.")
