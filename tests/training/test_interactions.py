"""What a model may learn from, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from recommender.tenant_data import interactions
from recommender.tenant_data.interactions import TrainingData
from tenants.data.actions import catalog, events, profiles, tenant_settings
from tenants.data.queries import tenant_state as questions
from tenants.data.types import EventInput, ItemInput, ProfileInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

T0 = datetime.now(UTC) - timedelta(days=5)


def record(tenant: TenantRef, actor: Actor, *rows: tuple[str, str, str]) -> None:
    """(profile, item, kind), a minute apart."""
    batch = [
        EventInput(profile_id=p, item_id=i, kind=k, at=T0 + timedelta(minutes=n))
        for n, (p, i, k) in enumerate(rows)
    ]
    with scope(tenant, actor=actor) as s:
        assert events.record_events(s, batch).rejected == []


def load(tenant: TenantRef, actor: Actor) -> TrainingData:
    return interactions.load_training_data(tenant, actor=actor, report=lambda _done: None)


def rows_of(source: TrainingData) -> list[list[int]]:
    """Item numbers by user, in no order of users."""
    data = source.dataset
    bounds = zip(data.indptr[:-1].tolist(), data.indptr[1:].tolist(), strict=True)
    return sorted(source.item_numbers[data.item[low:high]].tolist() for low, high in bounds)


@pytest.fixture
def shop(tenant: TenantRef, actor: Actor) -> TenantRef:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=name, title=f"Item {name}") for name in "abcd"])
    return tenant


def test_events_become_rows_in_time_order_with_weights_of_mean_one(shop: TenantRef, actor: Actor) -> None:
    record(shop, actor, ("p", "a", "view"), ("p", "b", "purchase"), ("q", "c", "view"))
    source = load(shop, actor)
    assert rows_of(source) == [[1, 2], [3]]
    assert source.dataset.weight.mean() == pytest.approx(1.0)
    assert sorted(source.dataset.weight / source.dataset.weight.min()) == pytest.approx([1, 1, 5])
    assert source.latest_event_at == (T0 + timedelta(minutes=2)).replace(
        microsecond=(T0.microsecond // 1000) * 1000
    )


def test_impressions_and_dislikes_are_skipped_and_counted(shop: TenantRef, actor: Actor) -> None:
    record(shop, actor, ("p", "a", "view"), ("p", "b", "impression"), ("p", "c", "dismiss"))
    source = load(shop, actor)
    assert rows_of(source) == [[1]]
    assert (
        source.skipped_events["kind without weight"],
        source.skipped_events["dislike"],
        source.n_stored_events,
    ) == (1, 1, 3)


def test_immediate_repetitions_are_one_event_with_the_maximum_weight(shop: TenantRef, actor: Actor) -> None:
    record(shop, actor, ("p", "a", "view"), ("p", "a", "purchase"), ("p", "b", "view"), ("p", "a", "view"))
    source = load(shop, actor)
    assert rows_of(source) == [[1, 2, 1]]
    assert (source.dataset.weight / source.dataset.weight.min()).tolist() == pytest.approx([5, 1, 1])


def test_events_of_a_profile_without_consent_are_skipped(shop: TenantRef, actor: Actor) -> None:
    record(shop, actor, ("p", "a", "view"), ("q", "b", "view"))
    with scope(shop, actor=actor) as s:
        profiles.upsert_profiles(s, [ProfileInput(id="p", consent="refused")])
    source = load(shop, actor)
    assert rows_of(source) == [[2]]
    assert source.skipped_events["without consent"] == 1


def test_opt_in_uses_only_events_with_consent(make_tenant: Callable[..., TenantRef], actor: Actor) -> None:
    tenant = make_tenant(vertical="education")
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="a"), ItemInput(id="b")])
        profiles.upsert_profiles(s, [ProfileInput(id=name, consent="granted") for name in ("p", "q")])
    record(tenant, actor, ("p", "a", "view"), ("q", "b", "view"))
    with scope(tenant, actor=actor) as s:
        profiles.upsert_profiles(s, [ProfileInput(id="p", consent="refused")])
    assert rows_of(load(tenant, actor)) == [[2]]


def test_without_personalisation_no_two_events_are_linked(shop: TenantRef, actor: Actor) -> None:
    record(shop, actor, ("p", "a", "view"), ("p", "b", "view"), ("p", "c", "view"))
    with scope(shop, actor=actor) as s:
        settings = questions.get_state(s).privacy
        changed = {name: getattr(settings, name) for name in settings.__struct_fields__}
        tenant_settings.update_privacy(s, type(settings)(**{**changed, "personalisation": "off"}))
    assert rows_of(load(shop, actor)) == [[1], [2], [3]]


def test_events_of_a_retired_item_are_skipped(shop: TenantRef, actor: Actor) -> None:
    record(shop, actor, ("p", "a", "view"), ("p", "d", "view"))
    with scope(shop, actor=actor) as s:
        catalog.retire_item(s, "d")
    source = load(shop, actor)
    assert source.item_numbers.tolist() == [1, 2, 3]
    assert rows_of(source) == [[1]]
    assert source.skipped_events["item not live"] == 1


def test_an_empty_tenant_is_an_empty_dataset(tenant: TenantRef, actor: Actor) -> None:
    source = load(tenant, actor)
    assert (source.dataset.n_users, source.dataset.n_items, source.dataset.n_events) == (0, 0, 0)
    assert source.latest_event_at is None


def test_a_dataset_contains_one_tenant_only(
    shop: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    with scope(stranger_tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=name) for name in "ab"])
    record(stranger_tenant, actor, ("p", "b", "view"))
    record(shop, actor, ("p", "a", "view"))
    assert rows_of(load(shop, actor)) == [[1]]
    assert np.array_equal(load(stranger_tenant, actor).item_numbers, [1, 2])


def test_events_removed_by_cleaning_are_counted(shop: TenantRef, actor: Actor) -> None:
    moments = [(item, T0 + timedelta(seconds=n, milliseconds=7)) for n, item in enumerate("abab")]
    batch = [EventInput(profile_id="p", item_id=i, kind="view", at=at) for i, at in [*moments, moments[-1]]]
    with scope(shop, actor=actor) as s:
        assert events.record_events(s, batch).rejected == []
    source = load(shop, actor)
    assert rows_of(source) == [[1, 2]]
    assert source.cleaning.count_removed_events() == {"repetition in window": 2}
    assert {name: count for name, count in source.skipped_events.items() if count} == {
        "immediate repetition": 1,
        "repetition in window": 2,
    }
    assert source.n_stored_events == source.dataset.n_events + sum(source.skipped_events.values())
    assert source.dataset.weight.mean() == pytest.approx(1.0)


def test_profiles_are_segmented_by_language_and_country(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=one, title=one, language="zh") for one in "ab"])
        stated = [
            ProfileInput(id="ann", language="en", attributes={"Country": "DE", "region": "Ober bayern"}),
            ProfileInput(id="bo", attributes={"country": "CN"}),
        ]
        profiles.upsert_profiles(s, stated)
    record(
        tenant, actor, ("ann", "a", "view"), ("bo", "b", "view"), ("cy", "a", "view"), ("ann", "b", "view")
    )
    source = load(tenant, actor)
    segments = {segment.name: segment for segment in source.user_segments}
    assert segments["language"].values == ("en",)
    assert set(segments["country"].values) == {"DE", "CN"}
    assert segments["region"].values == ("#1",)
    lengths = np.diff(source.dataset.indptr)
    of_ann = int(np.flatnonzero(lengths == 2)[0])
    country = segments["country"]
    assert country.values[country.codes[of_ann]] == "DE"
    assert sorted(country.codes.tolist()) == [-1, 0, 1]
    item_segment = source.item_segments[0]
    assert (item_segment.name, item_segment.values) == ("item_language", ("zh",))


def test_a_denied_attribute_makes_no_segment(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="a", title="a")])
        privacy = questions.get_state(s).privacy
        tenant_settings.update_privacy(
            s, replace(privacy, denied_attributes=[*privacy.denied_attributes, "country"])
        )
        profiles.upsert_profiles(s, [ProfileInput(id="ann", attributes={"country": "DE"})])
    record(tenant, actor, ("ann", "a", "view"))
    assert load(tenant, actor).user_segments == ()
