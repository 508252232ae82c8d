"""A version with significantly worse outcomes than its predecessor is rolled back automatically."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lepton_platform.tasks import monitoring
from recommender.monitoring import auto_rollback
from recommender.registry import actions, queries
from recommender.registry.reasons import translate_reasons_into
from recommender.registry.types import VersionView
from tenants.data.queries import audit_log
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.proofs import Scale
from tests.training.served_recommendations import publish_version, record_recent_event, record_recommendations

CURRENT_DAYS: tuple[float, float] = (3.9, 0.2)
PREVIOUS_DAYS: tuple[float, float] = (9.9, 4.1)


@pytest.fixture
def two_versions(tenant: TenantRef, actor: Actor) -> TenantRef:
    """v1 was active until four days ago, with a click rate of 12 %; v2 is active since."""
    publish_version(tenant, actor, days_ago=10)
    record_recommendations(tenant, actor, "v1", count=900, days=PREVIOUS_DAYS, follow_rate=0.12, seed=1)
    publish_version(tenant, actor, days_ago=4)
    record_recent_event(tenant, actor)
    return tenant


def get_version(tenant: TenantRef, actor: Actor, number: int) -> VersionView:
    with scope(tenant, actor=actor) as s:
        return queries.get_version(s, number)


def get_active_number(tenant: TenantRef, actor: Actor) -> int | None:
    with scope(tenant, actor=actor) as s:
        return queries.get_active_number(s)


@pytest.mark.proof(row=31)
def test_a_planted_regression_is_rolled_back(
    make_tenant: Callable[..., TenantRef], actor: Actor, scale: Scale, figure: Callable[..., bool]
) -> None:
    runs = scale(1, 10)
    n_rolled_back = 0
    for seed in range(runs):
        tenant = make_tenant()
        publish_version(tenant, actor, days_ago=10)
        record_recommendations(
            tenant, actor, "v1", count=900, days=PREVIOUS_DAYS, follow_rate=0.12, seed=2 * seed
        )
        publish_version(tenant, actor, days_ago=4)
        record_recommendations(
            tenant, actor, "v2", count=900, days=CURRENT_DAYS, follow_rate=0.03, seed=2 * seed + 1
        )
        record_recent_event(tenant, actor)
        auto_rollback.check_active_version(tenant, actor=actor)
        n_rolled_back += get_active_number(tenant, actor) == 1
    assert figure("planted regressions rolled back", n_rolled_back, of=runs, passes=n_rolled_back == runs)


def test_the_task_rolls_back_with_a_translated_reason_and_an_audit_entry(
    two_versions: TenantRef, actor: Actor
) -> None:
    record_recommendations(two_versions, actor, "v2", count=900, days=CURRENT_DAYS, follow_rate=0.03, seed=2)
    monitoring.watch_models(region=two_versions.region)
    rolled_back = get_version(two_versions, actor, 2)
    assert (get_active_number(two_versions, actor), rolled_back.state) == (1, "candidate")
    assert [reason.code for reason in rolled_back.reasons] == ["clicks_dropped"]
    assert rolled_back.reason.startswith("Rolled back automatically: ")
    assert "with v1 in the same scenarios" in rolled_back.reason
    assert translate_reasons_into("zh-hans", rolled_back.reasons).startswith("已自动回滚")
    with scope(two_versions, actor=actor) as s:
        lines = [line for line in audit_log.list_entries(s, limit=50) if line.verb == "model.rolled_back"]
    assert [(line.subject, line.facts["codes"], line.facts["active"]) for line in lines] == [
        ("v2", "clicks_dropped", "v1")
    ]


def test_an_equally_good_version_stays_active_and_its_rates_are_stored(
    two_versions: TenantRef, actor: Actor
) -> None:
    record_recommendations(two_versions, actor, "v2", count=900, days=CURRENT_DAYS, follow_rate=0.12, seed=3)
    monitoring.watch_models(region=two_versions.region)
    current = get_version(two_versions, actor, 2)
    assert (current.is_active, current.reasons) == (True, ())
    assert (current.live["recommendations"], current.live["analysis"]) == (900, 4)
    current_rate, previous_rate = current.live["rates"]["clicks"]
    assert current_rate == pytest.approx(0.12, abs=0.03)
    assert previous_rate == pytest.approx(0.12, abs=0.03)


def test_more_dismissals_cause_a_rollback(two_versions: TenantRef, actor: Actor) -> None:
    record_recommendations(
        two_versions, actor, "v2", count=400, days=CURRENT_DAYS, follow_rate=0.3, kind="dismiss", seed=4
    )
    record_recommendations(two_versions, actor, "v2", count=400, days=CURRENT_DAYS, follow_rate=0.25, seed=5)
    analysis = auto_rollback.check_active_version(two_versions, actor=actor)
    assert analysis is not None
    assert analysis.degraded == ("dismissals",)
    assert get_active_number(two_versions, actor) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"facts": {"stage": "popular"}},
        {"facts": {"model": "v7"}},
        {"days": (0.03, 0.0)},
        {"count": 150},
    ],
    ids=["not the model's own", "another version", "of the last hour", "few"],
)
def test_recommendations_without_evidence_cause_no_rollback(
    two_versions: TenantRef, actor: Actor, changes: dict[str, Any]
) -> None:
    record_recommendations(
        two_versions,
        actor,
        "v2",
        **{"count": 900, "days": CURRENT_DAYS, "follow_rate": 0.0, "seed": 6, **changes},
    )
    auto_rollback.check_active_version(two_versions, actor=actor)
    assert get_active_number(two_versions, actor) == 2


def test_portal_previews_cause_no_rollback(two_versions: TenantRef, actor: Actor) -> None:
    preview = {"facts": {"scenario": "portal.preview"}}
    record_recommendations(
        two_versions, actor, "v1", count=900, days=PREVIOUS_DAYS, follow_rate=0.3, seed=12, **preview
    )
    record_recommendations(
        two_versions, actor, "v2", count=900, days=CURRENT_DAYS, follow_rate=0.0, seed=13, **preview
    )
    analysis = auto_rollback.check_active_version(two_versions, actor=actor)
    assert analysis is not None
    assert (analysis.n_current, get_active_number(two_versions, actor)) == (0, 2)


def test_without_any_event_no_rollback_happens(tenant: TenantRef, actor: Actor) -> None:
    """The client's feed stopped when the versions changed: missing clicks are no evidence against the model."""
    publish_version(tenant, actor, days_ago=10)
    record_recommendations(tenant, actor, "v1", count=900, days=PREVIOUS_DAYS, follow_rate=0.12, seed=1)
    publish_version(tenant, actor, days_ago=4)
    record_recommendations(tenant, actor, "v2", count=900, days=CURRENT_DAYS, follow_rate=0.0, seed=2)
    auto_rollback.check_active_version(tenant, actor=actor)
    assert get_active_number(tenant, actor) == 2


def test_clicks_after_the_attribution_window_do_not_count(two_versions: TenantRef, actor: Actor) -> None:
    record_recommendations(
        two_versions,
        actor,
        "v2",
        count=900,
        days=CURRENT_DAYS,
        follow_rate=0.12,
        delay=timedelta(hours=2),
        seed=7,
    )
    auto_rollback.check_active_version(two_versions, actor=actor)
    assert get_active_number(two_versions, actor) == 1


def test_a_manual_promotion_is_not_rolled_back(two_versions: TenantRef, actor: Actor) -> None:
    record_recommendations(two_versions, actor, "v2", count=900, days=CURRENT_DAYS, follow_rate=0.03, seed=8)
    auto_rollback.check_active_version(two_versions, actor=actor)
    with scope(two_versions, actor=actor) as s:
        actions.promote(s, 2, expected=1)
    assert auto_rollback.check_active_version(two_versions, actor=actor) is None
    assert get_active_number(two_versions, actor) == 2


def test_checking_twice_rolls_back_once(two_versions: TenantRef, actor: Actor) -> None:
    publish_version(two_versions, actor, days_ago=4)
    record_recommendations(two_versions, actor, "v3", count=900, days=CURRENT_DAYS, follow_rate=0.03, seed=9)
    record_recommendations(two_versions, actor, "v2", count=900, days=(9.9, 4.1), follow_rate=0.12, seed=10)
    for _ in range(2):
        auto_rollback.check_active_version(two_versions, actor=actor)
    assert get_active_number(two_versions, actor) == 2


def test_another_tenants_recommendations_do_not_count(
    two_versions: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    record_recommendations(
        stranger_tenant, actor, "v2", count=900, days=CURRENT_DAYS, follow_rate=0.0, seed=11
    )
    analysis = auto_rollback.check_active_version(two_versions, actor=actor)
    assert analysis is not None
    assert analysis.n_current == 0


def test_without_an_earlier_version_nothing_is_compared(tenant: TenantRef, actor: Actor) -> None:
    assert auto_rollback.check_active_version(tenant, actor=actor) is None
    publish_version(tenant, actor, days_ago=3)
    assert auto_rollback.check_active_version(tenant, actor=actor) is None
