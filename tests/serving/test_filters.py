"""Every item of every answer satisfies the filter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.serving.catalogue import index
from recommender.serving.catalogue.filters import MAX_CONDITIONS, can_show, parse_filter
from tenants.data.types import ItemInput, StoredItem
from tenants.errors import Invalid

ITEM = ItemInput(
    id="i",
    categories=["cups", "kitchen"],
    tags=["new"],
    brand="Kiln",
    price=12.5,
    language="en",
    attributes={"size": 3, "vegan": True, "colours": ["red", "blue"], "code": "3"},
)


@pytest.mark.parametrize(
    ("filter_json", "matches"),
    [
        ({"brand": {"eq": "Kiln"}}, True),
        ({"brand": {"eq": "kiln"}}, False),
        ({"categories": {"in": ["plates", "cups"]}}, True),
        ({"categories": {"eq": "plates"}}, False),
        ({"price": {"gte": 12.5, "lt": 13}}, True),
        ({"price": {"gt": 12.5}}, False),
        ({"price": {"in": [12.5]}}, True),
        ({"attributes.size": {"eq": 3}}, True),
        ({"attributes.size": {"eq": "3"}}, False),
        ({"attributes.code": {"eq": "3"}}, True),
        ({"attributes.code": {"gte": 1}}, False),
        ({"attributes.vegan": {"eq": True}}, True),
        ({"attributes.vegan": {"eq": 1}}, False),
        ({"attributes.colours": {"eq": "blue"}}, True),
        ({"attributes.absent": {"eq": "x"}}, False),
        ({"available": {"eq": True}}, True),
        ({"brand": {"eq": "Kiln"}, "price": {"lt": 1}}, False),
    ],
)
def test_a_filter_selects_the_same_items_alone_and_in_the_index(
    filter_json: dict[str, Any], matches: bool
) -> None:
    assert can_show(ITEM, parse_filter(filter_json)) is matches
    catalogue = index.update_index(index.create_empty_index(), [StoredItem(7, 1, True, ITEM)])
    assert bool(catalogue.build_mask(parse_filter(filter_json))[0]) is matches


@pytest.mark.parametrize(
    ("filter_json", "pointer"),
    [
        ({"colour": {"eq": "red"}}, "/filter/colour"),
        ({"price": {}}, "/filter/price"),
        ({"price": {"gte": "cheap"}}, "/filter/price"),
        ({"price": {"gte": True}}, "/filter/price"),
        ({"brand": {"in": "Kiln"}}, "/filter/brand"),
        ({"brand": {"in": []}}, "/filter/brand"),
        ({"brand": {"eq": ["Kiln"]}}, "/filter/brand"),
        ({"brand": {"like": "K"}}, "/filter/brand"),
        ({"attributes.": {"eq": 1}}, "/filter/attributes."),
        ({"a/b": {"eq": 1}}, "/filter/a~1b"),
    ],
)
def test_an_invalid_filter_is_refused_with_its_pointer(filter_json: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_filter(filter_json)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_too_many_conditions_are_refused() -> None:
    with pytest.raises(Invalid):
        parse_filter({f"attributes.a{n}": {"eq": 1} for n in range(MAX_CONDITIONS + 1)})


def test_unavailable_items_need_a_filter_on_availability() -> None:
    unavailable = ItemInput(id="g", available=False)
    catalogue = index.update_index(index.create_empty_index(), [StoredItem(1, 1, True, unavailable)])
    assert not catalogue.build_mask(None).any()
    assert not catalogue.build_mask(parse_filter({"brand": {"eq": "x"}})).any()
    assert catalogue.build_mask(parse_filter({"available": {"eq": False}})).all()


SCALARS = st.one_of(st.sampled_from(["a", "b", "1"]), st.sampled_from([0, 1, 2.5]), st.booleans())
ITEMS = st.builds(
    ItemInput,
    id=st.just("x"),
    categories=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2),
    brand=st.none() | st.sampled_from(["a", "b"]),
    price=st.none() | st.sampled_from([0.0, 1.0, 19.99]),
    available=st.booleans(),
    attributes=st.dictionaries(st.sampled_from(["p", "q"]), SCALARS, max_size=2),
)
CONDITIONS = st.one_of(
    st.fixed_dictionaries({"eq": SCALARS}),
    st.fixed_dictionaries({"in": st.lists(SCALARS, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"gte": st.sampled_from([0, 1]), "lt": st.sampled_from([1, 19.99, 20])}),
)
FILTERS = st.dictionaries(
    st.sampled_from(["categories", "brand", "price", "available", "attributes.p"]), CONDITIONS, max_size=3
)


@given(before=st.lists(ITEMS, max_size=6), changed=st.lists(ITEMS, max_size=6), filter_json=FILTERS)
def test_the_index_agrees_with_the_filter_on_single_items(
    before: list[ItemInput], changed: list[ItemInput], filter_json: dict[str, Any]
) -> None:
    """Also after changes: the items of `changed` replace those of `before` from item 0 on."""
    catalogue = index.update_index(
        index.create_empty_index(), [StoredItem(n, 1, True, i) for n, i in enumerate(before)]
    )
    catalogue = index.update_index(catalogue, [StoredItem(n, 2, True, i) for n, i in enumerate(changed)])
    current = [*changed, *before[len(changed) :]]
    expected = [can_show(item, parse_filter(filter_json)) for item in current]
    assert catalogue.build_mask(parse_filter(filter_json)).tolist() == expected


def test_a_retired_item_leaves_every_mask() -> None:
    live = index.update_index(index.create_empty_index(), [StoredItem(3, 1, True, ITEM)])
    retired = index.update_index(live, [StoredItem(3, 2, False, ITEM)])
    assert live.build_mask(None).all()
    assert not retired.build_mask(None).any()
    assert live.build_mask(None).all()


def test_slots_of_a_model_come_first_and_are_masked_until_their_items_are_loaded() -> None:
    reserved = index.create_empty_index(np.array([9, 4], dtype=np.int32))
    assert not reserved.build_mask(None).any()
    read = index.update_index(reserved, [StoredItem(4, 1, True, ITEM), StoredItem(12, 2, True, ITEM)])
    assert read.item_numbers.tolist() == [9, 4, 12]
    assert read.build_mask(None).tolist() == [False, True, True]
