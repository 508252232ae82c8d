"""The worked example of docs/add-a-model.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.search_space import get_search_spaces
from recommender.algorithms.ensemble.registry import MODEL_REGISTRY
from recommender.dataset import Dataset
from recommender.types import Histories
from tests.docs.markdown import open_document

GUIDE = open_document("docs/add-a-model.md")
DATA = Dataset.from_sequences([[0, 1, 2], [0, 1, 3], [0, 1, 2], [3, 0]], n_items=4)


@pytest.fixture
def markov_chain() -> Iterator[type[Recommender[Any]]]:
    """The class of the guide, from a module: dataclasses look their module up."""
    module = ModuleType("markov_chain_of_the_guide")
    sys.modules[module.__name__] = module
    exec(GUIDE.get_block("recommender/algorithms/neighbourhood/markov_chain.py"), module.__dict__)  # noqa: S102
    yield module.MarkovChain
    del sys.modules[module.__name__]


def test_the_example_recommends_what_followed_most_often(markov_chain: type[Recommender[Any]]) -> None:
    model = markov_chain()
    model.fit(DATA, np.random.default_rng(0))
    recommended = model.recommend(Histories.from_lists([[0], [0, 1]]), 1)
    assert recommended.items.tolist() == [[1], [2]]


def test_the_example_is_restored_from_its_files(markov_chain: type[Recommender[Any]]) -> None:
    model = markov_chain()
    model.fit(DATA, np.random.default_rng(0))
    restored = markov_chain.from_files(model.to_files())
    histories = Histories.from_lists([[0], [], [3]])
    assert np.array_equal(restored.score(histories), model.score(histories))


def test_the_example_declares_what_every_model_declares(markov_chain: type[Recommender[Any]]) -> None:
    assert markov_chain.name not in MODEL_REGISTRY
    declared = [
        name
        for name in vars(Recommender)["__annotations__"]
        if "name label config_type relative_cost".count(name)
    ]
    assert all(hasattr(markov_chain, name) for name in declared)
    assert get_search_spaces(markov_chain.config_type)[1].keys() == {"smoothing"}


def test_the_table_names_attributes_of_the_base_class() -> None:
    names = {code.strip("`") for row in GUIDE.get_table("attribute") for code in row[0].split(", ")}
    assert names <= set(Recommender.__annotations__)
