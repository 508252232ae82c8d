from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from recommender.evaluation.verdicts import Reason
from recommender.models import ModelState, ModelVersion
from recommender.registry.reasons import of_json


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
    kept: bool
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]
    reason: str
    trained_at: datetime
    data_until: datetime | None
    reasons: tuple[Reason, ...] = ()
    live: Mapping[str, Any] = field(default_factory=dict)
    drift: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"v{self.version}"

    @property
    def active(self) -> bool:
        return self.state == ModelState.ACTIVE


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training hands to the registry. `refused` keeps it from serving; `reasons` say why, or what serves.

    `artefact_id` names the sealed folder written beforehand; a refused model has none (`manifest` is empty).
    """

    job_id: UUID
    artefact_id: UUID
    profile: str
    manifest: Mapping[str, Any]
    metrics: Mapping[str, Any]
    trained_at: datetime
    data_until: datetime | None
    refused: bool = False
    reason: str = ""
    reasons: tuple[Reason, ...] = ()


def view(row: ModelVersion) -> VersionView:
    return VersionView(
        version=row.version,
        state=row.state,
        profile=row.profile,
        job_id=row.job_id,
        artefact_id=row.artefact_id,
        kept=row.kept,
        manifest=row.manifest,
        metrics=row.metrics,
        reason=row.reason,
        trained_at=row.trained_at,
        data_until=row.data_until,
        reasons=of_json(row.reasons),
        live=row.live,
        drift=row.drift,
    )
