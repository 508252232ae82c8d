"""A version whose answers are followed by less than its predecessor's is taken back by itself; nothing else is."""

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
from tests.training.served_recommendations import publish, serve, something_came_in

MINE: tuple[float, float] = (3.9, 0.2)
BEFORE: tuple[float, float] = (9.9, 4.1)


@pytest.fixture
def pair(tenant: TenantRef, actor: Actor) -> TenantRef:
    """v1 served until four days ago and was clicked 12 times in a hundred; v2 serves since."""
    publish(tenant, actor, days_ago=10)
    serve(tenant, actor, "v1", count=900, days=BEFORE, share=0.12, seed=1)
    publish(tenant, actor, days_ago=4)
    something_came_in(tenant, actor)
    return tenant


def state(tenant: TenantRef, actor: Actor, number: int) -> VersionView:
    with scope(tenant, actor=actor) as s:
        return queries.get_version(s, number)


def active(tenant: TenantRef, actor: Actor) -> int | None:
    with scope(tenant, actor=actor) as s:
        return queries.get_active_number(s)


@pytest.mark.proof(row=31)
def test_a_planted_regression_is_rolled_back(
    make_tenant: Callable[..., TenantRef], actor: Actor, scale: Scale, figure: Callable[..., bool]
) -> None:
    runs = scale(1, 10)
    returned = 0
    for seed in range(runs):
        tenant = make_tenant()
        publish(tenant, actor, days_ago=10)
        serve(tenant, actor, "v1", count=900, days=BEFORE, share=0.12, seed=2 * seed)
        publish(tenant, actor, days_ago=4)
        serve(tenant, actor, "v2", count=900, days=MINE, share=0.03, seed=2 * seed + 1)
        something_came_in(tenant, actor)
        auto_rollback.check_active_version(tenant, actor=actor)
        returned += active(tenant, actor) == 1
    assert figure("planted regressions rolled back", returned, of=runs, passes=returned == runs)


def test_the_task_rolls_back_with_a_translated_reason_and_an_audit_entry(
    pair: TenantRef, actor: Actor
) -> None:
    serve(pair, actor, "v2", count=900, days=MINE, share=0.03, seed=2)
    monitoring.watch_models(region=pair.region)
    left = state(pair, actor, 2)
    assert (active(pair, actor), left.state) == (1, "candidate")
    assert [reason.code for reason in left.reasons] == ["clicks_dropped"]
    assert left.reason.startswith("Rolled back automatically: ")
    assert "with v1 in the same scenarios" in left.reason
    assert translate_reasons_into("zh-hans", left.reasons).startswith("已自动回滚")
    with scope(pair, actor=actor) as s:
        lines = [line for line in audit_log.list_entries(s, limit=50) if line.verb == "model.rolled_back"]
    assert [(line.subject, line.facts["codes"], line.facts["active"]) for line in lines] == [
        ("v2", "clicks_dropped", "v1")
    ]


def test_an_equally_good_version_stays_active_and_its_rates_are_stored(pair: TenantRef, actor: Actor) -> None:
    serve(pair, actor, "v2", count=900, days=MINE, share=0.12, seed=3)
    monitoring.watch_models(region=pair.region)
    now = state(pair, actor, 2)
    assert (now.is_active, now.reasons, now.live["recommendations"], now.live["analysis"]) == (
        True,
        (),
        900,
        4,
    )
    mine, before = now.live["rates"]["clicks"]
    assert mine == pytest.approx(0.12, abs=0.03)
    assert before == pytest.approx(0.12, abs=0.03)


def test_more_dismissals_cause_a_rollback(pair: TenantRef, actor: Actor) -> None:
    serve(pair, actor, "v2", count=400, days=MINE, share=0.3, kind="dismiss", seed=4)
    serve(pair, actor, "v2", count=400, days=MINE, share=0.25, seed=5)
    found = auto_rollback.check_active_version(pair, actor=actor)
    assert found is not None
    assert found.degraded == ("dismissals",)
    assert active(pair, actor) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"facts": {"stage": "popular"}},
        {"facts": {"model": "v7"}},
        {"days": (0.03, 0.0)},
        {"count": 150},
    ],
    ids=["not the model's own", "another version", "of the last hour", "few"],
)
def test_recommendations_without_evidence_cause_no_rollback(
    pair: TenantRef, actor: Actor, given: dict[str, Any]
) -> None:
    serve(pair, actor, "v2", **{"count": 900, "days": MINE, "share": 0.0, "seed": 6, **given})
    auto_rollback.check_active_version(pair, actor=actor)
    assert active(pair, actor) == 2


def test_portal_previews_cause_no_rollback(pair: TenantRef, actor: Actor) -> None:
    tried = {"facts": {"scenario": "portal.preview"}}
    serve(pair, actor, "v1", count=900, days=BEFORE, share=0.3, seed=12, **tried)
    serve(pair, actor, "v2", count=900, days=MINE, share=0.0, seed=13, **tried)
    found = auto_rollback.check_active_version(pair, actor=actor)
    assert found is not None
    assert (found.n_current, active(pair, actor)) == (0, 2)


def test_without_any_event_no_rollback_happens(tenant: TenantRef, actor: Actor) -> None:
    """The client's feed stopped with the change of versions: that no click came says nothing about the model."""
    publish(tenant, actor, days_ago=10)
    serve(tenant, actor, "v1", count=900, days=BEFORE, share=0.12, seed=1)
    publish(tenant, actor, days_ago=4)
    serve(tenant, actor, "v2", count=900, days=MINE, share=0.0, seed=2)
    auto_rollback.check_active_version(tenant, actor=actor)
    assert active(tenant, actor) == 2


def test_clicks_after_the_attribution_window_do_not_count(pair: TenantRef, actor: Actor) -> None:
    serve(pair, actor, "v2", count=900, days=MINE, share=0.12, delay=timedelta(hours=2), seed=7)
    auto_rollback.check_active_version(pair, actor=actor)
    assert active(pair, actor) == 1


def test_a_person_who_promotes_it_again_has_the_last_word(pair: TenantRef, actor: Actor) -> None:
    serve(pair, actor, "v2", count=900, days=MINE, share=0.03, seed=8)
    auto_rollback.check_active_version(pair, actor=actor)
    with scope(pair, actor=actor) as s:
        actions.promote(s, 2, expected=1)
    assert auto_rollback.check_active_version(pair, actor=actor) is None
    assert active(pair, actor) == 2


def test_checking_twice_rolls_back_once(pair: TenantRef, actor: Actor) -> None:
    publish(pair, actor, days_ago=4)
    serve(pair, actor, "v3", count=900, days=MINE, share=0.03, seed=9)
    serve(pair, actor, "v2", count=900, days=(9.9, 4.1), share=0.12, seed=10)
    for _ in range(2):
        auto_rollback.check_active_version(pair, actor=actor)
    assert active(pair, actor) == 2


def test_another_tenants_recommendations_do_not_count(
    pair: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    serve(stranger_tenant, actor, "v2", count=900, days=MINE, share=0.0, seed=11)
    found = auto_rollback.check_active_version(pair, actor=actor)
    assert found is not None
    assert found.n_current == 0


def test_without_an_earlier_version_nothing_is_compared(tenant: TenantRef, actor: Actor) -> None:
    assert auto_rollback.check_active_version(tenant, actor=actor) is None
    publish(tenant, actor, days_ago=3)
    assert auto_rollback.check_active_version(tenant, actor=actor) is None
