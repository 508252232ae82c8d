"""Compares the latest days of a tenant with what its model in service learned from, and writes it on the version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from recommender.evaluation.drift import (
    UNKNOWN,
    DriftConfig,
    Shift,
    coverage_shift,
    score_shift,
    shift,
    worst,
)
from recommender.registry import actions, artefacts, queries
from recommender.registry.artefacts import ArtefactCorrupt
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.types import DataError, Histories, Recommendations
from recommender.watching.windows import Side, Windows, read
from tenants import audit
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

LATEST = timedelta(days=7)
REFERENCE = timedelta(days=60)
K = 10
CONFIG = DriftConfig()
SIGNALS = ("event_kinds", "categories", "hours", "activity", "scores", "coverage")


@dataclass(frozen=True, slots=True)
class Drift:
    """A shift for each of SIGNALS, and the sides they were taken from."""

    shifts: Mapping[str, Shift]
    reference: Side
    latest: Side

    def to_json(self, windows: Windows) -> dict[str, Any]:
        return {
            "level": worst(self.shifts),
            "shifts": {name: one.to_json() for name, one in self.shifts.items()},
            "reference": {**windows.reference.to_json(), **self.reference.to_json()},
            "latest": {**windows.latest.to_json(), **self.latest.to_json()},
            "measured_at": datetime.now(UTC).isoformat(),
        }


def measure(tenant: TenantRef, *, actor: Actor, config: DriftConfig = CONFIG) -> Drift | None:
    """None where no model serves that learned from events. Too little data makes "unknown", never an alarm."""
    with scope(tenant, actor=actor) as s:
        version = queries.active(s)
    if version is None or version.data_until is None:
        return None
    windows = Windows.before(datetime.now(UTC), version.data_until, latest=LATEST, reference=REFERENCE)
    reference, latest = read(tenant, windows, actor=actor)
    found = Drift(_shifts(tenant, version, reference, latest, config), reference, latest)
    noted = found.to_json(windows)
    with scope(tenant, actor=actor) as s:
        actions.note(s, version.version, drift=noted)
        if noted["level"] == "drifted" and version.drift.get("level") != "drifted":
            signals = ",".join(name for name, one in found.shifts.items() if one.level == "drifted")
            audit.record(s, "model.drifted", version.name, signals=signals)
    return found


def _shifts(
    tenant: TenantRef, version: VersionView, reference: Side, latest: Side, config: DriftConfig
) -> dict[str, Shift]:
    people = (reference.profiles, latest.profiles)
    tables = zip(reference.tables(), latest.tables(), strict=True)
    found = {name: shift(*pair, people, config) for name, pair in zip(SIGNALS[:4], tables, strict=True)}
    before, now = (_answers(tenant, version, side) for side in (reference, latest))
    if before is None or now is None:
        return {**found, "scores": UNKNOWN, "coverage": UNKNOWN}
    means = [one.scores.mean(axis=1).astype(np.float64) for one in (before, now)]
    return {
        **found,
        "scores": score_shift(means[0], means[1], config),
        "coverage": coverage_shift(before.items, now.items, config),
    }


def _answers(tenant: TenantRef, version: VersionView, side: Side) -> Recommendations | None:
    """What the model would say to a sample of each side; None where its files cannot be read."""
    if not version.kept or not side.histories:
        return None
    try:
        bundle = Bundle.from_files(artefacts.read(tenant, version.artefact_id, version.manifest))
    except (ArtefactCorrupt, DataError):
        return None
    numbers = bundle.item_no
    if not numbers.size:
        return None
    places = [np.minimum(np.searchsorted(numbers, one), numbers.size - 1) for one in side.histories]
    known = [
        place[numbers[place] == one].astype(np.int32)
        for place, one in zip(places, side.histories, strict=True)
    ]
    return bundle.ensemble.recommend(Histories.of(known), min(K, numbers.size))
