"""Compares the latest days of a tenant with what its model in service learned from, and writes it on the version."""

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
from recommender.types import DataError, Histories, Recommendations
from tenants import audit
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

LATEST_WINDOW = timedelta(days=7)
REFERENCE_WINDOW = timedelta(days=60)
TOP_K = 10
DEFAULT_CONFIG = DriftConfig()
DRIFT_SIGNALS = ("event_kinds", "categories", "hours", "activity", "scores", "coverage")


@dataclass(frozen=True, slots=True)
class DriftReport:
    """A shift for each of SIGNALS, and the sides they were taken from."""

    shifts: Mapping[str, DriftShift]
    reference: WindowStats
    latest: WindowStats

    def to_json(self, windows: DriftWindows) -> dict[str, Any]:
        return {
            "level": find_worst_level(self.shifts),
            "shifts": {name: one.to_json() for name, one in self.shifts.items()},
            "reference": {**windows.reference.to_json(), **self.reference.to_json()},
            "latest": {**windows.latest.to_json(), **self.latest.to_json()},
            "measured_at": datetime.now(UTC).isoformat(),
        }


def measure_drift(
    tenant: TenantRef, *, actor: Actor, config: DriftConfig = DEFAULT_CONFIG
) -> DriftReport | None:
    """None where no model serves that learned from events. Too little data makes "unknown", never an alarm."""
    with scope(tenant, actor=actor) as s:
        version = queries.get_active_version(s)
    if version is None or version.latest_event_at is None:
        return None
    windows = DriftWindows.from_durations(
        datetime.now(UTC), version.latest_event_at, latest=LATEST_WINDOW, reference=REFERENCE_WINDOW
    )
    reference, latest = load_window_stats(tenant, windows, actor=actor)
    found = DriftReport(_compute_shifts(tenant, version, reference, latest, config), reference, latest)
    noted = found.to_json(windows)
    with scope(tenant, actor=actor) as s:
        actions.record_observation(s, version.version, drift=noted)
        if noted["level"] == "drifted" and version.drift.get("level") != "drifted":
            signals = ",".join(name for name, one in found.shifts.items() if one.level == "drifted")
            audit.record_entry(s, "model.drifted", version.name, signals=signals)
    return found


def _compute_shifts(
    tenant: TenantRef, version: VersionView, reference: WindowStats, latest: WindowStats, config: DriftConfig
) -> dict[str, DriftShift]:
    people = (reference.n_profiles, latest.n_profiles)
    tables = zip(reference.to_tables(), latest.to_tables(), strict=True)
    found = {
        name: measure_shift(*pair, people, config)
        for name, pair in zip(DRIFT_SIGNALS[:4], tables, strict=True)
    }
    before, now = (_recommend_to_sample(tenant, version, side) for side in (reference, latest))
    if before is None or now is None:
        return {**found, "scores": UNKNOWN_SHIFT, "coverage": UNKNOWN_SHIFT}
    means = [one.scores.mean(axis=1).astype(np.float64) for one in (before, now)]
    return {
        **found,
        "scores": measure_score_shift(means[0], means[1], config),
        "coverage": measure_coverage_shift(before.items, now.items, config),
    }


def _recommend_to_sample(
    tenant: TenantRef, version: VersionView, stats: WindowStats
) -> Recommendations | None:
    """What the model would say to a sample of each side; None where its files cannot be read."""
    if not version.has_artefact or not stats.histories:
        return None
    try:
        bundle = Bundle.from_files(artefacts.read_artefact(tenant, version.artefact_id, version.manifest))
    except (ArtefactCorrupt, DataError):
        return None
    numbers = bundle.item_numbers
    if not numbers.size:
        return None
    places = [np.minimum(np.searchsorted(numbers, one), numbers.size - 1) for one in stats.histories]
    known = [
        place[numbers[place] == one].astype(np.int32)
        for place, one in zip(places, stats.histories, strict=True)
    ]
    return bundle.ensemble.recommend(Histories.from_lists(known), min(TOP_K, numbers.size))
