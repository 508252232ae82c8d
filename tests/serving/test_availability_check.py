"""Snapshots may be seconds old. Every answer is checked against the rows of its own transaction."""

from __future__ import annotations

from tenants.data.actions import catalog
from tenants.data.types import ItemInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.serving.test_stages import list_ids, recommend_items, upsert_items


def create_items(tenant: TenantRef, actor: Actor) -> None:
    upsert_items(tenant, actor, *[ItemInput(id=f"s{n}", price=float(n), brand="Kiln") for n in range(6)])


def test_a_just_retired_item_is_never_recommended(tenant: TenantRef, actor: Actor) -> None:
    create_items(tenant, actor)
    assert list_ids(recommend_items(tenant, actor))[0] == "s5"
    with scope(tenant, actor=actor) as s:
        catalog.retire_item(s, "s5")
    assert list_ids(recommend_items(tenant, actor)) == ["s4", "s3", "s2", "s1", "s0"]


def test_a_just_sold_out_item_is_never_recommended(tenant: TenantRef, actor: Actor) -> None:
    create_items(tenant, actor)
    recommend_items(tenant, actor)
    upsert_items(tenant, actor, ItemInput(id="s5", price=5.0, available=False))
    assert "s5" not in list_ids(recommend_items(tenant, actor, k=6))


def test_filters_use_the_current_price(tenant: TenantRef, actor: Actor) -> None:
    create_items(tenant, actor)
    cheap = {"price": {"lt": 3}}
    assert list_ids(recommend_items(tenant, actor, filter=cheap)) == ["s2", "s1", "s0"]
    upsert_items(tenant, actor, ItemInput(id="s2", price=30.0))
    answer = recommend_items(tenant, actor, filter=cheap)
    assert list_ids(answer) == ["s1", "s0"]
    assert answer.truncated_reason is not None


def test_excluded_and_filtered_items_never_fill_up_an_answer(tenant: TenantRef, actor: Actor) -> None:
    create_items(tenant, actor)
    answer = recommend_items(
        tenant, actor, exclude=["s4", "unknown"], filter={"price": {"gte": 3}}, session=["s3"]
    )
    assert list_ids(answer) == ["s5"]
    assert (answer.requested, answer.returned) == (5, 1)


def test_the_answer_contains_the_current_row(tenant: TenantRef, actor: Actor) -> None:
    create_items(tenant, actor)
    recommend_items(tenant, actor)
    upsert_items(tenant, actor, ItemInput(id="s5", title="Now with a name", price=9.0))
    assert recommend_items(tenant, actor).items[0].title == "Now with a name"
