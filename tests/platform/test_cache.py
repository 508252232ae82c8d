from __future__ import annotations

import pickle

import pytest
from django.core.cache import cache

from lepton_platform.cache import JsonCacheSerializer


def test_json_values_round_trip_through_the_cache(services):
    cache.set("facts", {"name": "Käse 奶酪", "list": [1, None, True]})
    assert cache.get("facts") == {"name": "Käse 奶酪", "list": [1, None, True]}


def test_counters_are_incremented_by_the_server(services):
    cache.set("count", 5)
    cache.incr("count", 2)
    assert cache.get("count") == 7


def test_a_planted_pickle_is_not_loaded():
    with pytest.raises(ValueError, match=r"utf-8|decode|Expecting"):
        JsonCacheSerializer().loads(pickle.dumps({"a": 1}))


def test_objects_without_a_json_form_are_refused():
    with pytest.raises(TypeError):
        JsonCacheSerializer().dumps(object())
