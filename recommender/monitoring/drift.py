"""Measures how far the latest events are from those that the active version was trained on, and stores it on the version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from recommender.evaluation.decisions.drift import (
    UNKNOWN_SHIFT,
    DriftConfig,
    DriftShift,
    find_worst_level,
    measure_coverage_shift,
    measure_score_shift,
    measure_shift,
)
from recommender.monitoring.windows import DriftWindows, WindowStats, load_window_stats
from recommender.registry import actions, artefacts, queries
from recommender.registry.artefacts import ArtefactCorrupt
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.tenant_data.item_positions import ItemPositions
from recommender.types import DataError, Float64Array, Histories, Recommendations
from tenants import audit
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

LATEST_WINDOW = timedelta(days=7)
REFERENCE_WINDOW = timedelta(days=60)
TOP_K = 10
DEFAULT_CONFIG = DriftConfig()
# The first four are counted from events, in the order of `WindowStats.to_tables`.
DRIFT_SIGNALS = ("event_kinds", "categories", "hours", "activity", "scores", "coverage")
_COUNTED_SIGNALS = DRIFT_SIGNALS[:4]


@dataclass(
    frozen=True,
    slots=True,
)
class DriftReport:
    """The shift of each of DRIFT_SIGNALS between two windows."""

    shifts: Mapping[str, DriftShift]
    reference: WindowStats
    latest: WindowStats

    def to_json(self, windows: DriftWindows) -> dict[str, Any]:
        """The JSON of `ModelVersion.drift`."""
        return {
            "level": find_worst_level(self.shifts),
            "shifts": {name: shift.to_json() for name, shift in self.shifts.items()},
            "reference": {**windows.reference.to_json(), **self.reference.to_json()},
            "latest": {**windows.latest.to_json(), **self.latest.to_json()},
            "measured_at": datetime.now(UTC).isoformat(),
        }


def measure_drift(
    tenant: TenantRef, *, actor: Actor, config: DriftConfig = DEFAULT_CONFIG
) -> DriftReport | None:
    """Measures the drift of the active version and stores it; writes an audit entry when it becomes "drifted".

    Too little data gives the level "unknown".

    Returns:
        The report; None if no version that was trained on events is active.
    """
    with scope(tenant, actor=actor) as s:
        version = queries.get_active_version(s)
    if version is None or version.latest_event_at is None:
        return None
    windows = DriftWindows.from_durations(
        datetime.now(UTC),
        version.latest_event_at,
        latest=LATEST_WINDOW,
        reference=REFERENCE_WINDOW,
    )
    stats = load_window_stats(tenant, windows, actor=actor)
    shifts = _compute_shifts(
        tenant,
        version,
        stats.reference,
        stats.latest,
        config,
    )
    report = DriftReport(shifts, stats.reference, stats.latest)
    observation = report.to_json(windows)
    with scope(tenant, actor=actor) as s:
        actions.record_observation(s, version.version, drift=observation)
        # Only on the change of level: the task runs several times a day.
        if observation["level"] == "drifted" and version.drift.get("level") != "drifted":
            signals = ",".join(name for name, shift in shifts.items() if shift.level == "drifted")
            audit.record_entry(s, "model.drifted", version.name, signals=signals)
    return report


def _compute_shifts(
    tenant: TenantRef,
    version: VersionView,
    reference: WindowStats,
    latest: WindowStats,
    config: DriftConfig,
) -> dict[str, DriftShift]:
    n_profiles = (reference.n_profiles, latest.n_profiles)
    tables = zip(_COUNTED_SIGNALS, reference.to_tables(), latest.to_tables(), strict=True)
    shifts: dict[str, DriftShift] = {}
    for name, reference_counts, latest_counts in tables:
        shifts[name] = measure_shift(reference_counts, latest_counts, n_profiles, config)
    reference_answers = _recommend_to_sample(tenant, version, reference)
    latest_answers = _recommend_to_sample(tenant, version, latest)
    if reference_answers is None or latest_answers is None:
        return {
            **shifts,
            "scores": UNKNOWN_SHIFT,
            "coverage": UNKNOWN_SHIFT,
        }
    shifts["scores"] = measure_score_shift(
        _compute_mean_scores(reference_answers), _compute_mean_scores(latest_answers), config
    )
    shifts["coverage"] = measure_coverage_shift(reference_answers.items, latest_answers.items, config)
    return shifts


def _compute_mean_scores(recommendations: Recommendations) -> Float64Array:
    """float64 (histories), the mean score of each list."""
    mean_scores: Float64Array = recommendations.scores.mean(axis=1).astype(np.float64)
    return mean_scores


def _recommend_to_sample(
    tenant: TenantRef, version: VersionView, stats: WindowStats
) -> Recommendations | None:
    """Recommendations for the window's sample of histories; None without a sample or if the version's files cannot be read."""
    if not version.has_artefact or not stats.histories:
        return None
    try:
        files = artefacts.read_artefact(tenant, version.artefact_id, version.manifest)
        bundle = Bundle.from_files(files)
    except (ArtefactCorrupt, DataError):
        return None
    n_items = bundle.item_numbers.size
    if not n_items:
        return None
    positions = ItemPositions(bundle.item_numbers)
    histories = []
    for item_numbers in stats.histories:
        history = positions.find(item_numbers)
        histories.append(history[history >= 0])
    return bundle.ensemble.recommend(Histories.from_lists(histories), min(TOP_K, n_items))
