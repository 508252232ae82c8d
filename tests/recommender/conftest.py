from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommender.algorithms.base import Recommender
from recommender.dataset import Dataset
from tests.recommender.checkerboard import ALL_MODELS, make_checkerboard


@pytest.fixture(scope="session")
def board() -> Dataset:
    return make_checkerboard()


@pytest.fixture(scope="session")
def fitted_models(board: Dataset) -> dict[str, Recommender[Any]]:
    models = {name: make() for name, make in ALL_MODELS.items()}
    for model in models.values():
        model.fit(board, np.random.default_rng(0))
    return models


@pytest.fixture(params=list(ALL_MODELS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fitted_model(name: str, fitted_models: dict[str, Recommender[Any]]) -> Recommender[Any]:
    return fitted_models[name]
