"""Training data contains the permitted interactions and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from recommender.tenant_data import interactions
from recommender.tenant_data.interactions import TrainingData
from tenants.data.actions import catalog, events, profiles, tenant_settings
from tenants.data.queries import tenant_state
from tenants.data.types import EventInput, ItemInput, ProfileInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

T0 = datetime.now(UTC) - timedelta(days=5)


def record_events(tenant: TenantRef, actor: Actor, *rows: tuple[str, str, str]) -> None:
    """Stores events from rows of (profile, item, kind), one minute apart."""
    batch = [
        EventInput(profile_id=p, item_id=i, kind=k, at=T0 + timedelta(minutes=n))
        for n, (p, i, k) in enumerate(rows)
    ]
    with scope(tenant, actor=actor) as s:
        assert events.record_events(s, batch).rejected == []


def load_data(tenant: TenantRef, actor: Actor) -> TrainingData:
    return interactions.load_training_data(tenant, actor=actor, report=lambda _done: None)


def list_item_numbers(data: TrainingData) -> list[list[int]]:
    """The item numbers of every user; the order of the users is unspecified."""
    dataset = data.dataset
    bounds = zip(dataset.indptr[:-1].tolist(), dataset.indptr[1:].tolist(), strict=True)
    return sorted(data.item_numbers[dataset.item[low:high]].tolist() for low, high in bounds)


@pytest.fixture
def shop(tenant: TenantRef, actor: Actor) -> TenantRef:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=name, title=f"Item {name}") for name in "abcd"])
    return tenant


def test_events_become_rows_in_time_order_with_weights_of_mean_one(shop: TenantRef, actor: Actor) -> None:
    record_events(shop, actor, ("p", "a", "view"), ("p", "b", "purchase"), ("q", "c", "view"))
    data = load_data(shop, actor)
    assert list_item_numbers(data) == [[1, 2], [3]]
    assert data.dataset.weight.mean() == pytest.approx(1.0)
    assert sorted(data.dataset.weight / data.dataset.weight.min()) == pytest.approx([1, 1, 5])
    assert data.latest_event_at == (T0 + timedelta(minutes=2)).replace(
        microsecond=(T0.microsecond // 1000) * 1000
    )


def test_impressions_and_dislikes_are_skipped_and_counted(shop: TenantRef, actor: Actor) -> None:
    record_events(shop, actor, ("p", "a", "view"), ("p", "b", "impression"), ("p", "c", "dismiss"))
    data = load_data(shop, actor)
    assert list_item_numbers(data) == [[1]]
    assert (
        data.skipped_events["kind without weight"],
        data.skipped_events["dislike"],
        data.n_stored_events,
    ) == (1, 1, 3)


def test_immediate_repetitions_are_one_event_with_the_maximum_weight(shop: TenantRef, actor: Actor) -> None:
    record_events(
        shop, actor, ("p", "a", "view"), ("p", "a", "purchase"), ("p", "b", "view"), ("p", "a", "view")
    )
    data = load_data(shop, actor)
    assert list_item_numbers(data) == [[1, 2, 1]]
    assert (data.dataset.weight / data.dataset.weight.min()).tolist() == pytest.approx([5, 1, 1])


def test_events_of_a_profile_without_consent_are_skipped(shop: TenantRef, actor: Actor) -> None:
    record_events(shop, actor, ("p", "a", "view"), ("q", "b", "view"))
    with scope(shop, actor=actor) as s:
        profiles.upsert_profiles(s, [ProfileInput(id="p", consent="refused")])
    data = load_data(shop, actor)
    assert list_item_numbers(data) == [[2]]
    assert data.skipped_events["without consent"] == 1


def test_opt_in_uses_only_events_with_consent(make_tenant: Callable[..., TenantRef], actor: Actor) -> None:
    tenant = make_tenant(vertical="education")
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="a"), ItemInput(id="b")])
        profiles.upsert_profiles(s, [ProfileInput(id=name, consent="granted") for name in ("p", "q")])
    record_events(tenant, actor, ("p", "a", "view"), ("q", "b", "view"))
    with scope(tenant, actor=actor) as s:
        profiles.upsert_profiles(s, [ProfileInput(id="p", consent="refused")])
    assert list_item_numbers(load_data(tenant, actor)) == [[2]]


def test_without_personalisation_no_two_events_are_linked(shop: TenantRef, actor: Actor) -> None:
    record_events(shop, actor, ("p", "a", "view"), ("p", "b", "view"), ("p", "c", "view"))
    with scope(shop, actor=actor) as s:
        settings = tenant_state.get_state(s).privacy
        changed = {name: getattr(settings, name) for name in settings.__struct_fields__}
        tenant_settings.update_privacy(s, type(settings)(**{**changed, "personalisation": "off"}))
    assert list_item_numbers(load_data(shop, actor)) == [[1], [2], [3]]


def test_events_of_a_retired_item_are_skipped(shop: TenantRef, actor: Actor) -> None:
    record_events(shop, actor, ("p", "a", "view"), ("p", "d", "view"))
    with scope(shop, actor=actor) as s:
        catalog.retire_item(s, "d")
    data = load_data(shop, actor)
    assert data.item_numbers.tolist() == [1, 2, 3]
    assert list_item_numbers(data) == [[1]]
    assert data.skipped_events["item not live"] == 1


def test_an_empty_tenant_is_an_empty_dataset(tenant: TenantRef, actor: Actor) -> None:
    data = load_data(tenant, actor)
    assert (data.dataset.n_users, data.dataset.n_items, data.dataset.n_events) == (0, 0, 0)
    assert data.latest_event_at is None


def test_a_dataset_contains_one_tenant_only(
    shop: TenantRef, stranger_tenant: TenantRef, actor: Actor
) -> None:
    with scope(stranger_tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=name) for name in "ab"])
    record_events(stranger_tenant, actor, ("p", "b", "view"))
    record_events(shop, actor, ("p", "a", "view"))
    assert list_item_numbers(load_data(shop, actor)) == [[1]]
    assert np.array_equal(load_data(stranger_tenant, actor).item_numbers, [1, 2])


def test_events_removed_by_cleaning_are_counted(shop: TenantRef, actor: Actor) -> None:
    visits = [(item, T0 + timedelta(seconds=n, milliseconds=7)) for n, item in enumerate("abab")]
    batch = [
        EventInput(profile_id="p", item_id=item, kind="view", at=timestamp)
        for item, timestamp in [*visits, visits[-1]]
    ]
    with scope(shop, actor=actor) as s:
        assert events.record_events(s, batch).rejected == []
    data = load_data(shop, actor)
    assert list_item_numbers(data) == [[1, 2]]
    assert data.cleaning.count_removed_events() == {"repetition in window": 2}
    assert {name: count for name, count in data.skipped_events.items() if count} == {
        "immediate repetition": 1,
        "repetition in window": 2,
    }
    assert data.n_stored_events == data.dataset.n_events + sum(data.skipped_events.values())
    assert data.dataset.weight.mean() == pytest.approx(1.0)


def test_profiles_are_segmented_by_language_and_country(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=item_id, title=item_id, language="zh") for item_id in "ab"])
        profile_inputs = [
            ProfileInput(id="ann", language="en", attributes={"Country": "DE", "region": "Ober bayern"}),
            ProfileInput(id="bo", attributes={"country": "CN"}),
        ]
        profiles.upsert_profiles(s, profile_inputs)
    record_events(
        tenant, actor, ("ann", "a", "view"), ("bo", "b", "view"), ("cy", "a", "view"), ("ann", "b", "view")
    )
    data = load_data(tenant, actor)
    segments = {segment.name: segment for segment in data.user_segments}
    assert segments["language"].values == ("en",)
    assert set(segments["country"].values) == {"DE", "CN"}
    assert segments["region"].values == ("#1",)
    lengths = np.diff(data.dataset.indptr)
    ann_row = int(np.flatnonzero(lengths == 2)[0])
    country = segments["country"]
    assert country.values[country.codes[ann_row]] == "DE"
    assert sorted(country.codes.tolist()) == [-1, 0, 1]
    item_segment = data.item_segments[0]
    assert (item_segment.name, item_segment.values) == ("item_language", ("zh",))


def test_a_denied_attribute_makes_no_segment(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="a", title="a")])
        privacy = tenant_state.get_state(s).privacy
        tenant_settings.update_privacy(
            s, replace(privacy, denied_attributes=[*privacy.denied_attributes, "country"])
        )
        profiles.upsert_profiles(s, [ProfileInput(id="ann", attributes={"country": "DE"})])
    record_events(tenant, actor, ("ann", "a", "view"))
    assert load_data(tenant, actor).user_segments == ()
