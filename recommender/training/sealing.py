"""What a training leaves: encrypted files, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from uuid_utils.compat import uuid7

from recommender.algorithms.ensemble import Ensemble
from recommender.evaluation.compression import compressed
from recommender.evaluation.profiles import Profile
from recommender.registry import artefacts
from recommender.registry.bundle import Bundle
from recommender.registry.types import Trained
from recommender.sources import Source
from recommender.training.describing import Described
from recommender.training.gate import Verdict
from recommender.types import DataError
from tenants.regions import TenantRef


def sealed(
    tenant: TenantRef,
    job_id: UUID,
    served: Ensemble | None,
    known: Described,
    verdict: Verdict,
    *,
    profile: Profile,
) -> Trained:
    """Writes the artefact, if one may serve, before any row names it."""
    artefact_id = uuid7()
    manifest: Mapping[str, Any] = {}
    metrics = {**verdict.metrics, "reviews": known.metrics()}
    if served is not None:
        served = compressed(served)
        files = Bundle(served, known.source.item_no, known.opinions).to_files()
        _check_round_trip(served, files)
        manifest = artefacts.write(tenant, artefact_id, files)
        metrics = {**metrics, "compression": served.card.get("compression")}
    return Trained(
        job_id=job_id,
        artefact_id=artefact_id,
        profile=profile,
        manifest=manifest,
        metrics=metrics,
        trained_at=datetime.now(UTC),
        data_until=known.source.data_until,
        refused=served is None,
        reasons=verdict.reasons,
    )


def _check_round_trip(served: Ensemble, files: Mapping[str, bytes]) -> None:
    """What is read back must score as what was judged. Raises DataError."""
    sample = np.arange(min(served.items, 5), dtype=np.int32)
    again = Bundle.from_files(files).ensemble
    if not np.allclose(served.score_one(sample), again.score_one(sample), atol=1e-3):
        raise DataError("The exported model does not score like the trained one.")


def metrics_of(ensemble: Ensemble, source: Source, judged: Mapping[str, Any]) -> dict[str, Any]:
    card = ensemble.card
    return {
        "serves": "model",
        **judged,
        "weights": dict(ensemble.blend.weights),
        "validation": card.get("validation"),
        "choice": card.get("choice", {}),
        "second_stage": card.get("second_stage", {}),
        "members_left_out": card.get("left_out", {}),
        "seconds": card.get("seconds", {}),
        "data": {
            "profiles": source.dataset.users,
            "items": source.dataset.items,
            "events": source.dataset.events,
            "events_stored": source.counted,
            "events_left_out": {name: count for name, count in source.left_out.items() if count},
            "cleaning": source.cleaning.to_json(),
        },
    }
