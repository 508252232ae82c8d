"""Answers from what the tenant stated beforehand, without a single event, and beside what is learned."""

from __future__ import annotations

import msgspec

from recommender.serving.recommend import recommend
from recommender.serving.rules import validation
from recommender.serving.similar import find_similar_items
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import RecommendAnswer, RecommendRequest
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, knowledge, profiles, tenant_settings
from tenants.data.queries import tenant_state as space_queries
from tenants.data.types import ItemInput, ProfileInput, RuleInput, TripleInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.spaces import order_training

NURSES = {"attributes.job": {"eq": "nurse"}}


def ask(tenant: TenantRef, actor: Actor, **given: object) -> RecommendAnswer:
    return recommend(tenant, RecommendRequest(**{"k": 2, "reasons": True, **given}), actor=actor)  # type: ignore[arg-type]


def ids(answer: RecommendAnswer) -> list[str]:
    return [item.id for item in answer.items]


def fill(tenant: TenantRef, actor: Actor) -> None:
    """Six items of which the newest are c and f; ann is a nurse, bob is none, cid is one who refused."""
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=one, tags=[one]) for one in "adbecf"])
        people = [
            ProfileInput(id="ann", attributes={"job": "nurse"}),
            ProfileInput(id="bob", attributes={"job": "cook"}),
            ProfileInput(id="cid", attributes={"job": "nurse"}, consent="refused"),
        ]
        profiles.upsert_profiles(s, people)


def state_rules(tenant: TenantRef, actor: Actor, *rules: RuleInput) -> None:
    with scope(tenant, actor=actor) as s:
        assert validation.replace_rules(s, rules).rejected == []
    get_snapshot_cache().refresh_now(tenant)


def state(tenant: TenantRef, actor: Actor, *triples: tuple[str, str, str]) -> None:
    with scope(tenant, actor=actor) as s:
        rows = [TripleInput(head=head, relation=relation, tail=tail) for head, relation, tail in triples]
        assert knowledge.record_triples(s, rows).rejected == []
    get_snapshot_cache().refresh_now(tenant)


def about(tag: str, **given: object) -> RuleInput:
    return RuleInput(**{"id": f"about {tag}", "items": {"tags": {"eq": tag}}, **given})  # type: ignore[arg-type]


def test_an_empty_tenant_answers_a_profile_by_its_rules(tenant: TenantRef, actor: Actor) -> None:
    fill(tenant, actor)
    state_rules(tenant, actor, about("d", profile=NURSES))
    nurse, cook = ask(tenant, actor, profile_id="ann"), ask(tenant, actor, profile_id="bob")
    assert (nurse.stage, ids(nurse)) == ("knowledge", ["d", "f"])
    assert nurse.fallback_reason is not None
    assert nurse.fallback_reason.startswith("No trained model could be used")
    assert [(why.kind, why.evidence) for why in nurse.items[0].reasons] == [("rule", ["about d"])]
    assert (cook.stage, ids(cook)) == ("recent", ["f", "c"])


def test_a_rule_for_everybody_speaks_to_a_stranger(tenant: TenantRef, actor: Actor) -> None:
    fill(tenant, actor)
    state_rules(tenant, actor, about("b"), about("f", weight=-1.0))
    answer = ask(tenant, actor, profile_id="nobody", k=6)
    assert (answer.stage, ids(answer)[0], ids(answer)[-1]) == ("knowledge", "b", "f")


def test_rules_add_up_and_weigh(tenant: TenantRef, actor: Actor) -> None:
    fill(tenant, actor)
    both = {"tags": {"in": ["a", "d"]}}
    state_rules(tenant, actor, about("b", weight=1.5), RuleInput(id="1", items=both), about("a"))
    assert ids(ask(tenant, actor, k=3)) == ["a", "b", "d"]


def test_who_refused_is_not_asked_what_the_rules_ask(tenant: TenantRef, actor: Actor) -> None:
    fill(tenant, actor)
    state_rules(tenant, actor, about("d", profile=NURSES))
    answer = ask(tenant, actor, profile_id="cid")
    assert (answer.stage, ids(answer)) == ("recent", ["f", "c"])


def test_a_rule_that_reads_what_was_denied_since_is_silent(tenant: TenantRef, actor: Actor) -> None:
    fill(tenant, actor)
    state_rules(tenant, actor, about("d", profile=NURSES))
    assert ask(tenant, actor, profile_id="ann").stage == "knowledge"
    with scope(tenant, actor=actor) as s:
        privacy = space_queries.get_state(s).privacy
        denied = [*privacy.denied_attributes, "job"]
        tenant_settings.update_privacy(s, msgspec.structs.replace(privacy, denied_attributes=denied))
    get_snapshot_cache().refresh_now(tenant)
    assert ask(tenant, actor, profile_id="ann").stage == "recent"


def test_no_rule_shows_what_may_not_be_shown(tenant: TenantRef, actor: Actor) -> None:
    fill(tenant, actor)
    state_rules(tenant, actor, about("a", weight=10), about("d"))
    with scope(tenant, actor=actor) as s:
        catalog.retire_item(s, "a")
    assert ids(ask(tenant, actor, k=1)) == ["d"]
    assert ids(ask(tenant, actor, k=1, exclude=["d"])) == ["f"]


def test_removed_rules_are_silent(tenant: TenantRef, actor: Actor) -> None:
    fill(tenant, actor)
    state_rules(tenant, actor, about("a"))
    with scope(tenant, actor=actor) as s:
        knowledge.replace_rules(s, [])
    get_snapshot_cache().refresh_now(tenant)
    assert ask(tenant, actor).stage == "recent"


def test_an_empty_tenant_answers_a_session_by_its_triples(tenant: TenantRef, actor: Actor) -> None:
    fill(tenant, actor)
    state(tenant, actor, ("a", "goes_with", "d"), ("b", "made_of", "clay"), ("e", "made_of", "clay"))
    linked, shared = ask(tenant, actor, session=["a"]), ask(tenant, actor, session=["e"])
    assert (linked.stage, ids(linked)[0]) == ("knowledge", "d")
    assert (shared.stage, ids(shared)[0]) == ("knowledge", "b")
    assert [(why.kind, why.evidence) for why in shared.items[0].reasons] == [("linked", ["e"])]
    assert [item.id for item in find_similar_items(tenant, "d", 1, actor=actor)] == ["a"]


def test_a_session_that_nothing_was_stated_of_is_answered_by_likeness(
    tenant: TenantRef, actor: Actor
) -> None:
    fill(tenant, actor)
    state(tenant, actor, ("a", "goes_with", "d"))
    assert ask(tenant, actor, session=["f"]).stage == "content"


def test_training_learns_from_triples_alone_and_newcomers_have_theirs(
    tenant: TenantRef, actor: Actor
) -> None:
    fill(tenant, actor)
    state(tenant, actor, ("a", "goes_with", "d"), ("b", "made_of", "clay"), ("e", "made_of", "clay"))
    run_training_job(tenant, order_training(tenant, actor), owner="w1", actor=actor)
    ready = get_snapshot_cache().refresh_now(tenant)
    assert ready.bundle is not None
    assert "triple_similarity" in ready.bundle.ensemble.models
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="late")])
    state(tenant, actor, ("late", "made_of", "clay"))
    answer = ask(tenant, actor, session=["b"], k=6)
    assert answer.stage == "knowledge"
    assert set(ids(answer)[:2]) == {"e", "late"}


def test_what_is_learned_outweighs_a_rule_the_more_was_chosen(walkers: TenantRef, actor: Actor) -> None:
    before = ask(walkers, actor, session=["i11", "i12"], k=60)
    state_rules(walkers, actor, RuleInput(id="shelf", items={"categories": {"eq": "shelf 2"}}, weight=1.0))
    after = ask(walkers, actor, session=["i11", "i12"], k=60)
    longer = ask(walkers, actor, session=[f"i{n}" for n in range(20, 50)], k=60)
    with scope(walkers, actor=actor) as s:
        knowledge.replace_rules(s, [])
    get_snapshot_cache().refresh_now(walkers)
    plain = ask(walkers, actor, session=[f"i{n}" for n in range(20, 50)], k=60)
    raised = {item.id: item.score for item in after.items}
    gain = [raised[item.id] - item.score for item in before.items if "shelf 2" in item.categories]
    still = [raised[item.id] - item.score for item in before.items if "shelf 2" not in item.categories]
    later = {item.id: item.score for item in longer.items}
    faded = [later[item.id] - item.score for item in plain.items if "shelf 2" in item.categories]
    assert after.stage == "model_session"
    assert min(gain) > 0
    assert max(map(abs, still)) < 1e-5
    # Of 30 choices a rule has a fifth of the weight that it has beside two.
    assert 0 < 2.5 * max(faded) < min(gain)
    assert any(why.kind == "rule" for item in after.items for why in item.reasons)
