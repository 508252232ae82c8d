"""The pointer moves by compare-and-set, and what it leaves can be returned to."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from recommender.registry import actions, queries
from recommender.registry.types import TrainedModel, VersionView
from tenants.errors import Conflict, NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope


def trained(**changes: object) -> TrainedModel:
    given: dict[str, object] = {
        "job_id": uuid4(),
        "artefact_id": uuid4(),
        "profile": "fast",
        "manifest": {"files": {}, "bytes": 0},
        "metrics": {},
        "trained_at": datetime.now(UTC),
        "latest_event_at": None,
    }
    return TrainedModel(**{**given, **changes})  # type: ignore[arg-type]


def publish(s: Scope, **changes: object) -> VersionView:
    return actions.publish_model(s, trained(**changes), expected=queries.get_active_number(s))


def states(s: Scope) -> dict[int, str]:
    return {version.version: version.state for version in queries.list_versions(s)}


def test_publishing_activates_the_version_and_retires_its_predecessor(
    tenant: TenantRef, actor: Actor
) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        publish(s)
        assert queries.get_active_number(s) == 2
        assert states(s) == {1: "retired", 2: "active"}


def test_an_overtaken_training_stays_a_candidate_with_a_reason(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        publish(s)
        late = actions.publish_model(s, trained(), expected=1)
        assert late.state == "candidate"
        assert "Another version was promoted" in late.reason
        assert queries.get_active_number(s) == 2


def test_the_same_job_publishes_one_version(tenant: TenantRef, actor: Actor) -> None:
    job_id = uuid4()
    with scope(tenant, actor=actor) as s:
        first, second = publish(s, job_id=job_id), publish(s, job_id=job_id)
        assert first.artefact_id == second.artefact_id
        assert states(s) == {1: "active"}


def test_promoting_against_a_stale_pointer_is_a_conflict(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        publish(s)
        with pytest.raises(Conflict):
            actions.promote(s, 1, expected=1)
        assert queries.get_active_number(s) == 2


def test_rolling_back_activates_the_previous_version(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        publish(s)
        back = actions.roll_back(s, expected=2)
        assert back.version == 1
        assert states(s) == {1: "active", 2: "candidate"}


def test_a_rolled_back_version_is_no_later_rollback_target(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        publish(s)
        actions.roll_back(s, expected=2)
        publish(s)
        assert actions.roll_back(s, expected=3).version == 1


def test_a_rolled_back_version_can_be_promoted_manually(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        publish(s)
        actions.roll_back(s, expected=2)
        again = actions.promote(s, 2, expected=1)
        assert (again.state, again.reason) == ("active", "")
        assert states(s) == {1: "retired", 2: "active"}


def test_the_first_version_cannot_be_rolled_back(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        with pytest.raises(NotFound):
            actions.roll_back(s, expected=1)


def test_a_refused_version_cannot_be_promoted(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        publish(s, refused=True, reason="Not better.", manifest={})
        assert queries.get_active_number(s) == 1
        with pytest.raises(Conflict):
            actions.promote(s, 2, expected=1)


def test_a_corrupt_version_is_deactivated_with_its_reason(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        publish(s)
        serves = actions.mark_corrupt(s, 2, reason="The model file x is damaged.")
        assert serves is not None
        assert serves.version == 1
        assert queries.get_version(s, 2).reason == "The model file x is damaged."
        assert actions.mark_corrupt(s, 2, reason="again") == serves


def test_a_corrupt_only_version_leaves_no_active_version(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
        assert actions.mark_corrupt(s, 1, reason="damaged") is None
        assert queries.get_active_version(s) is None


def test_two_previous_versions_keep_their_artefacts(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        made = [publish(s) for _ in range(5)]
        assert set(actions.prune_artefacts(s)) == {made[0].artefact_id, made[1].artefact_id}
        assert [version.has_artefact for version in queries.list_versions(s)] == [
            True,
            True,
            True,
            False,
            False,
        ]
        assert actions.prune_artefacts(s) == []
        with pytest.raises(Conflict):
            actions.promote(s, 1, expected=5)


def test_a_stranger_sees_and_moves_nothing(
    tenant: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    with scope(tenant, actor=actor) as s:
        publish(s)
    with scope(stranger_tenant, actor=actor) as s:
        assert queries.list_versions(s) == []
        with pytest.raises(NotFound):
            actions.promote(s, 1, expected=None)
    with scope(tenant, actor=actor) as s:
        assert queries.get_active_number(s) == 1
