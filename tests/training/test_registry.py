"""The pointer to the active version moves by compare-and-set, and a previous version can be activated again."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from recommender.registry import actions, queries
from recommender.registry.types import TrainedModel, VersionView
from tenants.errors import Conflict, NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope


def build_trained_model(**changes: object) -> TrainedModel:
    fields: dict[str, object] = {
        "job_id": uuid4(),
        "artefact_id": uuid4(),
        "profile": "fast",
        "manifest": {"files": {}, "bytes": 0},
        "metrics": {},
        "trained_at": datetime.now(UTC),
        "latest_event_at": None,
    }
    return TrainedModel(**{**fields, **changes})  # type: ignore[arg-type]


def publish_version(s: Scope, **changes: object) -> VersionView:
    return actions.publish_model(s, build_trained_model(**changes), expected=queries.get_active_number(s))


def list_states(s: Scope) -> dict[int, str]:
    return {version.version: version.state for version in queries.list_versions(s)}


def test_publishing_activates_the_version_and_retires_its_predecessor(
    tenant: TenantRef, actor: Actor
) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        publish_version(s)
        assert queries.get_active_number(s) == 2
        assert list_states(s) == {1: "retired", 2: "active"}


def test_an_overtaken_training_stays_a_candidate_with_a_reason(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        publish_version(s)
        overtaken = actions.publish_model(s, build_trained_model(), expected=1)
        assert overtaken.state == "candidate"
        assert "Another version was promoted" in overtaken.reason
        assert queries.get_active_number(s) == 2


def test_the_same_job_publishes_one_version(tenant: TenantRef, actor: Actor) -> None:
    job_id = uuid4()
    with scope(tenant, actor=actor) as s:
        original, repeated = publish_version(s, job_id=job_id), publish_version(s, job_id=job_id)
        assert original.artefact_id == repeated.artefact_id
        assert list_states(s) == {1: "active"}


def test_promoting_against_a_stale_pointer_is_a_conflict(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        publish_version(s)
        with pytest.raises(Conflict):
            actions.promote(s, 1, expected=1)
        assert queries.get_active_number(s) == 2


def test_rolling_back_activates_the_previous_version(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        publish_version(s)
        previous = actions.roll_back(s, expected=2)
        assert previous.version == 1
        assert list_states(s) == {1: "active", 2: "candidate"}


def test_a_rolled_back_version_is_no_later_rollback_target(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        publish_version(s)
        actions.roll_back(s, expected=2)
        publish_version(s)
        assert actions.roll_back(s, expected=3).version == 1


def test_a_rolled_back_version_can_be_promoted_manually(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        publish_version(s)
        actions.roll_back(s, expected=2)
        promoted = actions.promote(s, 2, expected=1)
        assert (promoted.state, promoted.reason) == ("active", "")
        assert list_states(s) == {1: "retired", 2: "active"}


def test_the_first_version_cannot_be_rolled_back(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        with pytest.raises(NotFound):
            actions.roll_back(s, expected=1)


def test_a_refused_version_cannot_be_promoted(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        publish_version(s, refused=True, reason="Not better.", manifest={})
        assert queries.get_active_number(s) == 1
        with pytest.raises(Conflict):
            actions.promote(s, 2, expected=1)


def test_a_corrupt_version_is_deactivated_with_its_reason(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        publish_version(s)
        active = actions.mark_corrupt(s, 2, reason="The model file x is damaged.")
        assert active is not None
        assert active.version == 1
        assert queries.get_version(s, 2).reason == "The model file x is damaged."
        assert actions.mark_corrupt(s, 2, reason="again") == active


def test_a_corrupt_only_version_leaves_no_active_version(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        publish_version(s)
        assert actions.mark_corrupt(s, 1, reason="damaged") is None
        assert queries.get_active_version(s) is None


def test_two_previous_versions_keep_their_artefacts(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        versions = [publish_version(s) for _ in range(5)]
        assert set(actions.prune_artefacts(s)) == {versions[0].artefact_id, versions[1].artefact_id}
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
        publish_version(s)
    with scope(stranger_tenant, actor=actor) as s:
        assert queries.list_versions(s) == []
        with pytest.raises(NotFound):
            actions.promote(s, 1, expected=None)
    with scope(tenant, actor=actor) as s:
        assert queries.get_active_number(s) == 1
