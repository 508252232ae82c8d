"""Every request is answered, and the answer names its stage."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recommender.serving.recommend import recommend
from recommender.serving.similar import find_similar_items
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import RecommendAnswer, RecommendRequest
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, events, profiles, tenant_settings
from tenants.data.presets import PRIVACY_PRESETS
from tenants.data.queries import counters, receipts
from tenants.data.types import EventInput, ItemInput, ProfileInput
from tenants.errors import NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.tenants import build_popularity_walk, ingest_events, request_training


def recommend_items(tenant: TenantRef, actor: Actor, **fields: object) -> RecommendAnswer:
    return recommend(tenant, RecommendRequest(**{"k": 5, **fields}), actor=actor)  # type: ignore[arg-type]


def list_ids(answer: RecommendAnswer) -> list[str]:
    return [item.id for item in answer.items]


def upsert_items(tenant: TenantRef, actor: Actor, *items: ItemInput) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, items)


def record_events(tenant: TenantRef, actor: Actor, profile: str, *items: str, kind: str = "view") -> None:
    with scope(tenant, actor=actor) as s:
        rows = [EventInput(item_id=i, kind=kind, profile_id=profile, at=datetime.now(UTC)) for i in items]
        assert events.record_events(s, rows).rejected == []


def test_a_known_profile_is_answered_by_the_model(loaded_tenant: TenantRef, actor: Actor) -> None:
    answer = recommend_items(loaded_tenant, actor, profile_id="p0")
    assert (answer.stage, answer.fallback_reason, answer.model_version) == ("model", None, "v1")
    assert list_ids(answer)[0] == "i8"
    assert (answer.requested, answer.returned, answer.truncated_reason) == (5, 5, None)


def test_a_new_event_counts_in_the_next_answer(loaded_tenant: TenantRef, actor: Actor) -> None:
    before = list_ids(recommend_items(loaded_tenant, actor, profile_id="new-1"))
    record_events(loaded_tenant, actor, "new-1", "i29", "i30")
    after = recommend_items(loaded_tenant, actor, profile_id="new-1")
    assert after.stage == "model"
    assert list_ids(after)[0] == "i31"
    assert before != list_ids(after)


def test_a_session_without_a_profile_is_answered_by_the_model(loaded_tenant: TenantRef, actor: Actor) -> None:
    answer = recommend_items(loaded_tenant, actor, session=["i11", "i12"])
    assert answer.stage == "model_session"
    assert list_ids(answer)[0] == "i13"
    assert not {"i11", "i12"} & set(list_ids(answer))


def test_an_unknown_profile_gets_popular_items(loaded_tenant: TenantRef, actor: Actor) -> None:
    answer = recommend_items(loaded_tenant, actor, profile_id="nobody")
    assert (answer.stage, answer.fallback_reason) == ("popular", "The user has no history.")
    assert answer.returned == 5


def test_a_refused_model_is_the_fallback_reason(tenant: TenantRef, actor: Actor) -> None:
    ingest_events(tenant, actor, build_popularity_walk())
    run_training_job(tenant, request_training(tenant, actor), owner="w1", actor=actor)
    get_snapshot_cache().refresh_now(tenant)
    answer = recommend_items(tenant, actor, profile_id="p1")
    assert (answer.stage, answer.fallback_reason) == (
        "popular",
        "No trained model is better than popularity for this tenant.",
    )


def test_without_a_model_content_similarity_answers(tenant: TenantRef, actor: Actor) -> None:
    upsert_items(
        tenant,
        actor,
        ItemInput(id="red cup", categories=["cups"], brand="Kiln"),
        ItemInput(id="blue cup", categories=["cups"], brand="Kiln"),
        ItemInput(id="spade", categories=["garden"]),
    )
    answer = recommend_items(tenant, actor, session=["red cup"], reasons=True)
    assert (answer.stage, answer.fallback_reason) == ("content", "No model has been trained yet.")
    assert list_ids(answer)[0] == "blue cup"
    assert answer.items[0].reasons[0].kind == "shared"
    assert answer.items[0].reasons[0].evidence == ["Kiln", "cups"]


def test_without_history_and_model_the_newest_items_are_recommended(tenant: TenantRef, actor: Actor) -> None:
    upsert_items(tenant, actor, *[ItemInput(id=f"n{n}") for n in range(3)])
    answer = recommend_items(tenant, actor, profile_id="nobody")
    assert (answer.stage, list_ids(answer)) == ("recent", ["n2", "n1", "n0"])
    assert (answer.requested, answer.returned) == (5, 3)
    assert answer.truncated_reason == "All other available items were chosen, disliked or excluded before."


def test_an_empty_catalogue_is_an_empty_answer(tenant: TenantRef, actor: Actor) -> None:
    answer = recommend_items(tenant, actor, profile_id="nobody")
    assert (answer.stage, answer.items) == ("empty", [])
    assert answer.truncated_reason == "The catalogue has no available items."


def test_a_new_item_is_recommended_by_its_text_at_the_next_poll(
    loaded_tenant: TenantRef, actor: Actor
) -> None:
    upsert_items(loaded_tenant, actor, ItemInput(id="late", title="Thing 41", categories=["shelf 5"]))
    get_snapshot_cache().refresh_now(loaded_tenant)
    record_events(loaded_tenant, actor, "new-2", "i41")
    assert "late" in list_ids(recommend_items(loaded_tenant, actor, profile_id="new-2", k=20))
    assert find_similar_items(loaded_tenant, "i41", 3, actor=actor)[0].id == "late"


def test_a_history_of_new_items_only_is_answered_by_content(loaded_tenant: TenantRef, actor: Actor) -> None:
    upsert_items(loaded_tenant, actor, ItemInput(id="later", title="Thing 52", categories=["shelf 4"]))
    get_snapshot_cache().refresh_now(loaded_tenant)
    record_events(loaded_tenant, actor, "new-3", "later")
    answer = recommend_items(loaded_tenant, actor, profile_id="new-3")
    assert answer.stage == "content"
    assert list_ids(answer)[0] == "i52"


def test_a_disliked_item_is_hidden_and_is_no_history(loaded_tenant: TenantRef, actor: Actor) -> None:
    record_events(loaded_tenant, actor, "new-4", "i20")
    disliked = list_ids(recommend_items(loaded_tenant, actor, profile_id="new-4"))[0]
    record_events(loaded_tenant, actor, "new-4", disliked, kind="dismiss")
    answer = recommend_items(loaded_tenant, actor, profile_id="new-4", k=60)
    assert disliked == "i21"
    assert disliked not in list_ids(answer)
    assert answer.stage == "model"


def test_an_impression_hides_nothing(loaded_tenant: TenantRef, actor: Actor) -> None:
    record_events(loaded_tenant, actor, "new-5", "i20")
    record_events(loaded_tenant, actor, "new-5", "i21", kind="impression")
    assert list_ids(recommend_items(loaded_tenant, actor, profile_id="new-5"))[0] == "i21"


def test_a_profile_without_consent_gets_popular_items(loaded_tenant: TenantRef, actor: Actor) -> None:
    record_events(loaded_tenant, actor, "refuses", "i20")
    with scope(loaded_tenant, actor=actor) as s:
        profiles.upsert_profiles(s, [ProfileInput(id="refuses", consent="refused")])
    answer = recommend_items(loaded_tenant, actor, profile_id="refuses")
    unknown = recommend_items(loaded_tenant, actor, profile_id="never seen")
    assert answer.fallback_reason == "This profile has not consented to personal recommendations."
    assert answer.stage == "popular"
    assert list_ids(answer) == list_ids(unknown)


def test_without_personalisation_only_the_session_is_used(tenant: TenantRef, actor: Actor) -> None:
    upsert_items(
        tenant,
        actor,
        ItemInput(id="a", categories=["x"]),
        ItemInput(id="b", categories=["x"]),
        ItemInput(id="c"),
    )
    record_events(tenant, actor, "p", "c")
    settings = PRIVACY_PRESETS["ecommerce"]
    with scope(tenant, actor=actor) as s:
        tenant_settings.update_privacy(
            s, type(settings)(**{**_get_fields(settings), "personalisation": "off"})
        )
    plain = recommend_items(tenant, actor, profile_id="p")
    on_page = recommend_items(tenant, actor, profile_id="p", session=["c", "a"])
    assert plain.stage == "recent"
    assert plain.fallback_reason == "Personalisation is switched off for this tenant."
    assert list_ids(plain) == ["c", "b", "a"]
    assert (on_page.stage, list_ids(on_page)[0]) == ("content", "b")


def _get_fields(settings: object) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}  # type: ignore[attr-defined]


def test_opt_in_needs_a_granted_consent(make_tenant: object, actor: Actor) -> None:
    tenant = make_tenant(vertical="education")  # type: ignore[operator]
    upsert_items(
        tenant,
        actor,
        ItemInput(id="a", categories=["x"]),
        ItemInput(id="b", categories=["x"]),
        ItemInput(id="c"),
    )
    with scope(tenant, actor=actor) as s:
        profiles.upsert_profiles(s, [ProfileInput(id="yes", consent="granted")])
    record_events(tenant, actor, "yes", "a")
    assert recommend_items(tenant, actor, profile_id="yes").stage == "content"
    assert recommend_items(tenant, actor, profile_id="unasked").fallback_reason is not None


def test_every_answer_stores_a_receipt(loaded_tenant: TenantRef, actor: Actor) -> None:
    answer = recommend_items(loaded_tenant, actor, profile_id="p3")
    with scope(loaded_tenant, actor=actor) as s:
        receipt = next(iter(receipts.iter_latest_receipts(s, limit=1)))
    assert (receipt["stage"], receipt["model"], len(receipt["items"])) == ("model", "v1", len(answer.items))


def test_another_tenants_ids_are_unknown(
    loaded_tenant: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    answer = recommend_items(stranger_tenant, actor, profile_id="p0", session=["i5"])
    assert (answer.stage, answer.items) == ("empty", [])
    with pytest.raises(NotFound):
        find_similar_items(stranger_tenant, "i5", 3, actor=actor)


def test_requests_and_served_items_are_counted_by_stage_and_scenario(tenant: TenantRef, actor: Actor) -> None:
    upsert_items(tenant, actor, ItemInput(id="a"), ItemInput(id="b"))
    recommend_items(tenant, actor, scenario="home")
    recommend_items(tenant, actor, scenario="home", exclude=["a", "b"])
    today = datetime.now(UTC).date()
    with scope(tenant, actor=actor) as s:
        counts = [
            (row.metric, row.kind, row.scenario, row.count)
            for row in counters.list_daily_counts(s, today, today)
        ]
    assert counts == [
        ("requests", "empty", "home", 1),
        ("requests", "recent", "home", 1),
        ("served", "recent", "home", 2),
    ]
