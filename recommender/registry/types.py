from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.models import ModelState, ModelVersion
from recommender.registry.reasons import parse_reasons


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version as the API, the portal and serving see it. `kept` says that its files still exist.

    `reason` is English; `reasons` are the same as codes, empty in rows that earlier versions wrote.
    """

    version: int
    state: str
    profile: str
    job_id: UUID
    artefact_id: UUID
    has_artefact: bool
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]
    reason: str
    trained_at: datetime
    latest_event_at: datetime | None
    reasons: tuple[DecisionReason, ...] = ()
    live: Mapping[str, Any] = field(default_factory=dict)
    drift: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"v{self.version}"

    @property
    def is_active(self) -> bool:
        return self.state == ModelState.ACTIVE


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What a training hands to the registry. `refused` keeps it from serving; `reasons` say why, or what serves.

    `artefact_id` names the sealed folder written beforehand; a refused model has none (`manifest` is empty).
    """

    job_id: UUID
    artefact_id: UUID
    profile: str
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]
    trained_at: datetime
    latest_event_at: datetime | None
    refused: bool = False
    reason: str = ""
    reasons: tuple[DecisionReason, ...] = ()


def to_version_view(row: ModelVersion) -> VersionView:
    return VersionView(
        version=row.version,
        state=row.state,
        profile=row.profile,
        job_id=row.job_id,
        artefact_id=row.artefact_id,
        has_artefact=row.has_artefact,
        manifest=row.manifest,
        metrics=row.metrics,
        reason=row.reason,
        trained_at=row.trained_at,
        latest_event_at=row.latest_event_at,
        reasons=parse_reasons(row.reasons),
        live=row.live,
        drift=row.drift,
    )
