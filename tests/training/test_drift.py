"""Drift since the training is measured on the timeline and stored with the version. Little data is no alarm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import numpy as np
import pytest
from uuid_utils.compat import uuid7

from lepton_platform.tasks import monitoring
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.monitoring import drift
from recommender.monitoring.drift import DRIFT_SIGNALS
from recommender.registry import actions, artefacts, queries
from recommender.registry.bundle import Bundle
from recommender.registry.types import TrainedModel
from recommender.tenant_data import interactions
from tenants.data.actions import catalog
from tenants.data.queries import audit_log
from tenants.data.types import EventInput, ItemInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.served_recommendations import record_event_batches

ITEMS, PROFILES = 60, 120
VisitRule = Callable[[int, int], tuple[int, str]]


def visit_in_order(profile: int, step: int) -> tuple[int, str]:
    return (profile * 7 + step) % ITEMS, "click" if step % 3 == 0 else "view"


def visit_later(offset: int, profile: int, step: int) -> tuple[int, str]:
    return visit_in_order(profile, step + offset)


def record_visits(
    tenant: TenantRef, actor: Actor, visit: VisitRule, *, days: range, profiles: range, hour: int = 0
) -> None:
    """Each profile visits two items on each of these days before today, at `hour` or else at an hour of its own."""
    today = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = []
    for step, days_ago in enumerate(days):
        for profile in profiles:
            for minute in (0, 1):
                item, kind = visit(profile, 2 * step + minute)
                at = today - timedelta(days=days_ago, hours=hour or profile % 24, minutes=-minute)
                rows.append(EventInput(item_id=f"i{item}", kind=kind, profile_id=f"p{profile}", at=at))
    record_event_batches(tenant, actor, rows)


def publish_trained_model(tenant: TenantRef, actor: Actor) -> None:
    """Fits a real model on the current data and publishes it."""
    source = interactions.load_training_data(tenant, actor=actor, report=lambda _done: None)
    model_names = ("popularity", "transitions")
    ensemble: Ensemble = fit_ensemble(
        source.dataset,
        FitOptions(profile="fast", model_names=tuple(model_names)),
        rng=np.random.default_rng(0),
    )
    artefact_id = uuid7()
    manifest = artefacts.write_artefact(tenant, artefact_id, Bundle(ensemble, source.item_numbers).to_files())
    trained_model = TrainedModel(
        uuid4(), artefact_id, "fast", manifest, {}, datetime.now(UTC), source.latest_event_at
    )
    with scope(tenant, actor=actor) as s:
        actions.publish_model(s, trained_model, expected=queries.get_active_number(s))


def measure_drift_levels(tenant: TenantRef, actor: Actor) -> dict[str, str]:
    drift.measure_drift(tenant, actor=actor)
    with scope(tenant, actor=actor) as s:
        version = queries.get_active_version(s)
    assert version is not None
    assert set(version.drift["shifts"]) == set(DRIFT_SIGNALS)
    return {name: shift["level"] for name, shift in version.drift["shifts"].items()}


@pytest.fixture
def trained_tenant(tenant: TenantRef, actor: Actor) -> TenantRef:
    """A tenant with a model that was trained on four weeks of events until eight days ago."""
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(
            s,
            [ItemInput(id=f"i{n}", title=f"Thing {n}", categories=[f"shelf {n % 6}"]) for n in range(ITEMS)],
        )
    record_visits(tenant, actor, visit_in_order, days=range(28, 8, -2), profiles=range(PROFILES))
    publish_trained_model(tenant, actor)
    return tenant


def test_a_week_like_the_training_period_is_steady(trained_tenant: TenantRef, actor: Actor) -> None:
    record_visits(trained_tenant, actor, visit_in_order, days=range(6, 0, -2), profiles=range(PROFILES))
    levels = measure_drift_levels(trained_tenant, actor)
    assert {
        name: levels[name] for name in ("event_kinds", "categories", "hours", "activity")
    } == dict.fromkeys(("event_kinds", "categories", "hours", "activity"), "steady")
    assert levels["coverage"] == "steady"


def test_changed_kinds_categories_and_hours_are_reported_as_drift(
    trained_tenant: TenantRef, actor: Actor
) -> None:
    def visit_differently(profile: int, step: int) -> tuple[int, str]:
        return 6 * ((profile + step) % 5), "purchase"

    record_visits(
        trained_tenant, actor, visit_differently, days=range(6, 0, -2), profiles=range(PROFILES), hour=3
    )
    levels = measure_drift_levels(trained_tenant, actor)
    assert [levels[name] for name in ("event_kinds", "categories", "hours")] == ["drifted"] * 3
    assert levels["activity"] == "steady"


def test_increased_activity_is_reported_as_drift(trained_tenant: TenantRef, actor: Actor) -> None:
    for offset in range(0, 8, 2):
        visit_busily = partial(visit_later, offset)
        record_visits(trained_tenant, actor, visit_busily, days=range(6, 0, -2), profiles=range(PROFILES))
    assert measure_drift_levels(trained_tenant, actor)["activity"] == "drifted"


def test_new_profiles_shift_scores_or_coverage(trained_tenant: TenantRef, actor: Actor) -> None:
    """All profiles are new, and all visit the same two items."""
    record_visits(
        trained_tenant,
        actor,
        lambda _p, step: (step % 2, "view"),
        days=range(6, 4, -2),
        profiles=range(500, 700),
    )
    levels = measure_drift_levels(trained_tenant, actor)
    assert "drifted" in (levels["scores"], levels["coverage"])


def test_the_task_stores_drift_and_audits_it_once(trained_tenant: TenantRef, actor: Actor) -> None:
    record_visits(
        trained_tenant,
        actor,
        lambda p, _s: (p % ITEMS, "purchase"),
        days=range(6, 0, -2),
        profiles=range(PROFILES),
    )
    for _ in range(2):
        monitoring.measure_drift(region=trained_tenant.region)
    with scope(trained_tenant, actor=actor) as s:
        version = queries.get_active_version(s)
        lines = [line for line in audit_log.list_entries(s, limit=50) if line.verb == "model.drifted"]
    assert version is not None
    assert version.drift["level"] == "drifted"
    assert version.drift["latest"]["profiles"] == PROFILES
    assert [(line.subject, "event_kinds" in line.facts["signals"]) for line in lines] == [("v1", True)]


@pytest.mark.parametrize("n_profiles", [0, 3])
def test_an_empty_or_a_tiny_week_is_unknown(trained_tenant: TenantRef, actor: Actor, n_profiles: int) -> None:
    record_visits(
        trained_tenant,
        actor,
        lambda _p, _s: (0, "purchase"),
        days=range(6, 0, -2),
        profiles=range(n_profiles),
    )
    assert set(measure_drift_levels(trained_tenant, actor).values()) == {"unknown"}


def test_without_a_trained_model_no_drift_is_measured(tenant: TenantRef, actor: Actor) -> None:
    assert drift.measure_drift(tenant, actor=actor) is None


def test_input_drift_is_measured_without_model_files(trained_tenant: TenantRef, actor: Actor) -> None:
    record_visits(trained_tenant, actor, visit_in_order, days=range(6, 0, -2), profiles=range(PROFILES))
    with scope(trained_tenant, actor=actor) as s:
        version = queries.get_active_version(s)
    assert version is not None
    artefacts.remove_artefact(trained_tenant, version.artefact_id)
    levels = measure_drift_levels(trained_tenant, actor)
    assert (levels["event_kinds"], levels["scores"], levels["coverage"]) == ("steady", "unknown", "unknown")


def test_drift_reports_contain_no_catalogue_text(trained_tenant: TenantRef, actor: Actor) -> None:
    record_visits(trained_tenant, actor, visit_in_order, days=range(6, 0, -2), profiles=range(PROFILES))
    drift.measure_drift(trained_tenant, actor=actor)
    with scope(trained_tenant, actor=actor) as s:
        version = queries.get_active_version(s)
    assert version is not None
    assert "shelf" not in repr(version.drift)


def test_another_tenants_events_are_not_counted(
    trained_tenant: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    with scope(stranger_tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=f"i{n}", title="x") for n in range(ITEMS)])
    record_visits(
        stranger_tenant, actor, lambda _p, _s: (0, "purchase"), days=range(6, 0, -2), profiles=range(PROFILES)
    )
    assert set(measure_drift_levels(trained_tenant, actor).values()) == {"unknown"}
