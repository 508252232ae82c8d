"""What the registry takes and returns: a trained model to publish, and a published version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.models import ModelState, ModelVersion
from recommender.registry.reasons import parse_reasons
from recommender.registry.version_metrics import VersionMetrics


@dataclass(
    frozen=True,
    slots=True,
)
class VersionView:
    """One version as the API, the portal and serving read it.

    `has_artefact` says whether its files still exist. `reason` is `reasons` in English; it may also be a message that has no code,
    such as why files are corrupt.
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
        """The name that answers carry, such as "v3"."""
        return f"v{self.version}"

    @property
    def is_active(self) -> bool:
        """Whether this version serves."""
        return self.state == ModelState.ACTIVE

    @property
    def parsed_metrics(self) -> VersionMetrics:
        """`metrics` with types."""
        return VersionMetrics.from_json(self.metrics)

    @property
    def is_personal(self) -> bool:
        """Whether the version serves the trained ensemble, not popularity in place of a refused one."""
        return self.parsed_metrics.serving_mode == "model"


@dataclass(
    frozen=True,
    slots=True,
)
class TrainedModel:
    """The result of a training, to be published.

    A `refused` model is stored with its metrics but never serves; it has no artefact, so its `manifest` is empty. `reasons`
    are the gate's decisions. `artefact_id` names the encrypted folder, which is written before the row.
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
    """The view of a stored row."""
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
