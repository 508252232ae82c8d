from __future__ import annotations

import pytest

from tenants.data.actions.catalog import restore_item, retire_item, upsert_items
from tenants.data.queries import catalog
from tenants.data.types import ItemInput
from tenants.errors import NotFound, TooLarge
from tenants.scope import scope


def upsert(tenant, actor, *items: ItemInput):
    with scope(tenant, actor=actor) as s:
        return upsert_items(s, items)


def test_an_upsert_returns_the_number_of_created_updated_and_unchanged_items(tenant, actor):
    first_result = upsert(tenant, actor, ItemInput(id="a"), ItemInput(id="b"))
    second_result = upsert(tenant, actor, ItemInput(id="a"), ItemInput(id="b", title="B"), ItemInput(id="c"))
    assert (first_result.created, first_result.updated, first_result.unchanged) == (2, 0, 0)
    assert (second_result.created, second_result.updated, second_result.unchanged) == (1, 1, 1)


def test_an_item_is_read_as_it_was_sent(tenant, actor):
    entry = ItemInput(id="käse 奶酪", title="Käse", price=2.5, categories=["food"], attributes={"fat": 40})
    upsert(tenant, actor, entry)
    with scope(tenant, actor=actor) as s:
        assert catalog.get_item(s, "käse 奶酪").item == entry


def test_a_repeated_id_in_a_batch_is_rejected(tenant, actor):
    result = upsert(tenant, actor, ItemInput(id="a", title="first"), ItemInput(id=" a ", title="second"))
    assert [(error.row, error.code) for error in result.rejected] == [(1, "repeated_id")]


def test_a_retired_item_is_not_live_and_can_be_restored(tenant, actor):
    upsert(tenant, actor, ItemInput(id="a"))
    with scope(tenant, actor=actor) as s:
        retire_item(s, "a")
        assert not catalog.get_item(s, "a").live
        restore_item(s, "a")
        assert catalog.get_item(s, "a").live


def test_every_change_has_a_later_version(tenant, actor):
    upsert(tenant, actor, ItemInput(id="a"))
    upsert(tenant, actor, ItemInput(id="b"))
    with scope(tenant, actor=actor) as s:
        retire_item(s, "a")
    with scope(tenant, actor=actor) as s:
        changes = catalog.list_changed_items(s, 0)
    assert [(change.item.id, change.live) for change in changes] == [("b", True), ("a", False)]


def test_pages_contain_every_item_once(tenant, actor):
    upsert(tenant, actor, *(ItemInput(id=f"i{n}") for n in range(5)))
    with scope(tenant, actor=actor) as s:
        first_page, after = catalog.list_items(s, limit=3)
        next_page, end = catalog.list_items(s, limit=3, after=after or 0)
    assert [view.item.id for view in first_page + next_page] == ["i0", "i1", "i2", "i3", "i4"]
    assert end is None


def test_search_compares_titles_without_case(tenant, actor):
    upsert(tenant, actor, ItemInput(id="a", title="Blue Mug"), ItemInput(id="b", title="Plate"))
    with scope(tenant, actor=actor) as s:
        assert [view.item.id for view in catalog.list_items(s, search="mug")[0]] == ["a"]


def test_a_foreign_id_is_not_found(tenant, stranger_tenant, actor):
    upsert(tenant, actor, ItemInput(id="a"))
    with scope(stranger_tenant, actor=actor) as s, pytest.raises(NotFound):
        catalog.get_item(s, "a")


def test_both_tenants_may_use_the_same_id(tenant, stranger_tenant, actor):
    upsert(tenant, actor, ItemInput(id="a", title="ours"))
    assert upsert(stranger_tenant, actor, ItemInput(id="a", title="theirs")).created == 1


def test_more_than_a_thousand_items_are_refused(tenant, actor):
    with scope(tenant, actor=actor) as s, pytest.raises(TooLarge):
        upsert_items(s, [ItemInput(id=str(n)) for n in range(1_001)])
