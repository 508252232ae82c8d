"""What a training leaves: encrypted files, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from uuid_utils.compat import uuid7

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.fitting.quantization import quantize_ensemble
from recommender.fitting.training_profiles import TrainingProfileName
from recommender.registry import artefacts
from recommender.registry.bundle import Bundle
from recommender.registry.types import TrainedModel
from recommender.tenant_data.interactions import TrainingData
from recommender.training.gate import GateResult
from recommender.training.side_data import EnrichedData
from recommender.types import DataError
from tenants.regions import TenantRef


def package_model(
    tenant: TenantRef,
    job_id: UUID,
    ensemble: Ensemble | None,
    enriched: EnrichedData,
    gate_result: GateResult,
    *,
    profile: TrainingProfileName,
) -> TrainedModel:
    """Writes the artefact, if one may serve, before any row names it."""
    artefact_id = uuid7()
    manifest: Mapping[str, Any] = {}
    metrics = {**gate_result.metrics, "reviews": enriched.summarize_reviews()}
    if ensemble is not None:
        ensemble = quantize_ensemble(ensemble)
        files = Bundle(ensemble, enriched.training_data.item_numbers, enriched.review_summaries).to_files()
        _check_round_trip(ensemble, files)
        manifest = artefacts.write_artefact(tenant, artefact_id, files)
        metrics = {**metrics, "quantization": ensemble.training_report.get("quantization")}
    return TrainedModel(
        job_id=job_id,
        artefact_id=artefact_id,
        profile=profile,
        manifest=manifest,
        metrics=metrics,
        trained_at=datetime.now(UTC),
        latest_event_at=enriched.training_data.latest_event_at,
        refused=ensemble is None,
        reasons=gate_result.reasons,
    )


def _check_round_trip(ensemble: Ensemble, files: Mapping[str, bytes]) -> None:
    """What is read back must score as what was judged. Raises DataError."""
    sample = np.arange(min(ensemble.items, 5), dtype=np.int32)
    again = Bundle.from_files(files).ensemble
    if not np.allclose(ensemble.score_history(sample), again.score_history(sample), atol=1e-3):
        raise DataError("The exported model does not score like the trained one.")


def build_version_metrics(
    ensemble: Ensemble, training_data: TrainingData, evaluation_metrics: Mapping[str, Any]
) -> dict[str, Any]:
    card = ensemble.training_report
    return {
        "serves": "model",
        **evaluation_metrics,
        "weights": dict(ensemble.blend.weights),
        "validation": card.get("validation"),
        "selection": card.get("selection", {}),
        "reranker": card.get("reranker", {}),
        "models_skipped": card.get("skipped", {}),
        "seconds": card.get("seconds", {}),
        "data": {
            "profiles": training_data.dataset.n_users,
            "items": training_data.dataset.n_items,
            "events": training_data.dataset.n_events,
            "events_stored": training_data.n_stored_events,
            "events_skipped": {name: count for name, count in training_data.skipped_events.items() if count},
            "cleaning": training_data.cleaning.to_json(),
        },
    }
