from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommender.algorithms.base import Recommender
from recommender.dataset import Dataset
from tests.recommender.checkerboard import EVERY, checkerboard


@pytest.fixture(scope="session")
def board() -> Dataset:
    return checkerboard()


@pytest.fixture(scope="session")
def every_fitted(board: Dataset) -> dict[str, Recommender[Any]]:
    models = {name: make() for name, make in EVERY.items()}
    for model in models.values():
        model.fit(board, np.random.default_rng(0))
    return models


@pytest.fixture(params=list(EVERY))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fitted(name: str, every_fitted: dict[str, Recommender[Any]]) -> Recommender[Any]:
    return every_fitted[name]
