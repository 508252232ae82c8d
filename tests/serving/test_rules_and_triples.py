"""Answers from the tenant's rules and triples, without any event and together with a trained model."""

from __future__ import annotations

import msgspec

from recommender.serving.recommend import recommend
from recommender.serving.rules import validation
from recommender.serving.similar import find_similar_items
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import RecommendAnswer, RecommendRequest
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, knowledge, profiles, tenant_settings
from tenants.data.queries import tenant_state
from tenants.data.types import ItemInput, ProfileInput, RuleInput, TripleInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.tenants import request_training

NURSES = {"attributes.job": {"eq": "nurse"}}


def recommend_items(tenant: TenantRef, actor: Actor, **fields: object) -> RecommendAnswer:
    return recommend(tenant, RecommendRequest(**{"k": 2, "reasons": True, **fields}), actor=actor)  # type: ignore[arg-type]


def list_ids(answer: RecommendAnswer) -> list[str]:
    return [item.id for item in answer.items]


def create_items_and_profiles(tenant: TenantRef, actor: Actor) -> None:
    """Six items, of which c and f are the newest. ann is a nurse, bob is none, cid is a nurse without consent."""
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=item_id, tags=[item_id]) for item_id in "adbecf"])
        profile_inputs = [
            ProfileInput(id="ann", attributes={"job": "nurse"}),
            ProfileInput(id="bob", attributes={"job": "cook"}),
            ProfileInput(id="cid", attributes={"job": "nurse"}, consent="refused"),
        ]
        profiles.upsert_profiles(s, profile_inputs)


def replace_rules(tenant: TenantRef, actor: Actor, *rules: RuleInput) -> None:
    with scope(tenant, actor=actor) as s:
        assert validation.replace_rules(s, rules).rejected == []
    get_snapshot_cache().refresh_now(tenant)


def record_triples(tenant: TenantRef, actor: Actor, *triples: tuple[str, str, str]) -> None:
    with scope(tenant, actor=actor) as s:
        rows = [TripleInput(head=head, relation=relation, tail=tail) for head, relation, tail in triples]
        assert knowledge.record_triples(s, rows).rejected == []
    get_snapshot_cache().refresh_now(tenant)


def build_tag_rule(tag: str, **fields: object) -> RuleInput:
    return RuleInput(**{"id": f"about {tag}", "items": {"tags": {"eq": tag}}, **fields})  # type: ignore[arg-type]


def test_without_a_model_rules_rank_items_for_a_profile(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    replace_rules(tenant, actor, build_tag_rule("d", profile=NURSES))
    nurse = recommend_items(tenant, actor, profile_id="ann")
    cook = recommend_items(tenant, actor, profile_id="bob")
    assert (nurse.stage, list_ids(nurse)) == ("knowledge", ["d", "f"])
    assert nurse.fallback_reason is not None
    assert nurse.fallback_reason.startswith("No trained model could be used")
    assert [(reason.kind, reason.evidence) for reason in nurse.items[0].reasons] == [("rule", ["about d"])]
    assert (cook.stage, list_ids(cook)) == ("recent", ["f", "c"])


def test_a_rule_without_profile_condition_applies_to_unknown_profiles(
    tenant: TenantRef, actor: Actor
) -> None:
    create_items_and_profiles(tenant, actor)
    replace_rules(tenant, actor, build_tag_rule("b"), build_tag_rule("f", weight=-1.0))
    answer = recommend_items(tenant, actor, profile_id="nobody", k=6)
    assert (answer.stage, list_ids(answer)[0], list_ids(answer)[-1]) == ("knowledge", "b", "f")


def test_weights_of_matching_rules_are_summed(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    both = {"tags": {"in": ["a", "d"]}}
    replace_rules(
        tenant, actor, build_tag_rule("b", weight=1.5), RuleInput(id="1", items=both), build_tag_rule("a")
    )
    assert list_ids(recommend_items(tenant, actor, k=3)) == ["a", "b", "d"]


def test_profile_rules_need_consent(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    replace_rules(tenant, actor, build_tag_rule("d", profile=NURSES))
    answer = recommend_items(tenant, actor, profile_id="cid")
    assert (answer.stage, list_ids(answer)) == ("recent", ["f", "c"])


def test_a_rule_on_a_denied_attribute_is_inactive(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    replace_rules(tenant, actor, build_tag_rule("d", profile=NURSES))
    assert recommend_items(tenant, actor, profile_id="ann").stage == "knowledge"
    with scope(tenant, actor=actor) as s:
        privacy = tenant_state.get_state(s).privacy
        denied = [*privacy.denied_attributes, "job"]
        tenant_settings.update_privacy(s, msgspec.structs.replace(privacy, denied_attributes=denied))
    get_snapshot_cache().refresh_now(tenant)
    assert recommend_items(tenant, actor, profile_id="ann").stage == "recent"


def test_rules_never_show_retired_or_excluded_items(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    replace_rules(tenant, actor, build_tag_rule("a", weight=10), build_tag_rule("d"))
    with scope(tenant, actor=actor) as s:
        catalog.retire_item(s, "a")
    assert list_ids(recommend_items(tenant, actor, k=1)) == ["d"]
    assert list_ids(recommend_items(tenant, actor, k=1, exclude=["d"])) == ["f"]


def test_removed_rules_are_inactive(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    replace_rules(tenant, actor, build_tag_rule("a"))
    with scope(tenant, actor=actor) as s:
        knowledge.replace_rules(s, [])
    get_snapshot_cache().refresh_now(tenant)
    assert recommend_items(tenant, actor).stage == "recent"


def test_without_a_model_triples_rank_items_for_a_session(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    record_triples(tenant, actor, ("a", "goes_with", "d"), ("b", "made_of", "clay"), ("e", "made_of", "clay"))
    linked = recommend_items(tenant, actor, session=["a"])
    shared = recommend_items(tenant, actor, session=["e"])
    assert (linked.stage, list_ids(linked)[0]) == ("knowledge", "d")
    assert (shared.stage, list_ids(shared)[0]) == ("knowledge", "b")
    assert [(reason.kind, reason.evidence) for reason in shared.items[0].reasons] == [("linked", ["e"])]
    assert [item.id for item in find_similar_items(tenant, "d", 1, actor=actor)] == ["a"]


def test_a_session_without_triples_is_answered_by_content(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    record_triples(tenant, actor, ("a", "goes_with", "d"))
    assert recommend_items(tenant, actor, session=["f"]).stage == "content"


def test_training_uses_triples_alone_and_new_items_have_theirs(tenant: TenantRef, actor: Actor) -> None:
    create_items_and_profiles(tenant, actor)
    record_triples(tenant, actor, ("a", "goes_with", "d"), ("b", "made_of", "clay"), ("e", "made_of", "clay"))
    run_training_job(tenant, request_training(tenant, actor), owner="w1", actor=actor)
    snapshot = get_snapshot_cache().refresh_now(tenant)
    assert snapshot.bundle is not None
    assert "triple_similarity" in snapshot.bundle.ensemble.models
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="late")])
    record_triples(tenant, actor, ("late", "made_of", "clay"))
    answer = recommend_items(tenant, actor, session=["b"], k=6)
    assert answer.stage == "knowledge"
    assert set(list_ids(answer)[:2]) == {"e", "late"}


def test_longer_histories_reduce_the_influence_of_a_rule(loaded_tenant: TenantRef, actor: Actor) -> None:
    before = recommend_items(loaded_tenant, actor, session=["i11", "i12"], k=60)
    replace_rules(
        loaded_tenant, actor, RuleInput(id="shelf", items={"categories": {"eq": "shelf 2"}}, weight=1.0)
    )
    after = recommend_items(loaded_tenant, actor, session=["i11", "i12"], k=60)
    longer = recommend_items(loaded_tenant, actor, session=[f"i{n}" for n in range(20, 50)], k=60)
    with scope(loaded_tenant, actor=actor) as s:
        knowledge.replace_rules(s, [])
    get_snapshot_cache().refresh_now(loaded_tenant)
    plain = recommend_items(loaded_tenant, actor, session=[f"i{n}" for n in range(20, 50)], k=60)
    scores_with_rule = {item.id: item.score for item in after.items}
    gain = [scores_with_rule[item.id] - item.score for item in before.items if "shelf 2" in item.categories]
    unchanged = [
        scores_with_rule[item.id] - item.score for item in before.items if "shelf 2" not in item.categories
    ]
    long_history_scores = {item.id: item.score for item in longer.items}
    long_history_gain = [
        long_history_scores[item.id] - item.score for item in plain.items if "shelf 2" in item.categories
    ]
    assert after.stage == "model_session"
    assert min(gain) > 0
    assert max(map(abs, unchanged)) < 1e-5
    # With a history of 30 items a rule has a fifth of its weight with two items.
    assert 0 < 2.5 * max(long_history_gain) < min(gain)
    assert any(reason.kind == "rule" for item in after.items for reason in item.reasons)
