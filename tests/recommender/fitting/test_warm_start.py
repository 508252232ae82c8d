"""A network is warm-started from a served model over a changed catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.ensemble.registry import MODEL_REGISTRY
from recommender.algorithms.sequential.base import OnnxSequentialModel
from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.algorithms.sequential.sasrec import SASRec, SASRecConfig
from recommender.algorithms.sequential.sasrec_training import SASRecTrainer
from recommender.algorithms.sequential.stored_weights import ITEM_PARAMETERS
from recommender.algorithms.sequential.trainer import SequentialTrainer
from recommender.dataset import Dataset
from recommender.fitting.progress_tracker import ProgressTracker
from recommender.fitting.warm_start import warm_start_models
from recommender.types import Histories, ignore_progress
from tests.recommender.checkerboard import ALL_MODELS, ITEMS, SMALL

OLD_ARTEFACT = Path(__file__).parents[1] / "sasrec_artefact"
NETWORKS = ("sequence", "recurrent", "convolutional")


def load_quantized(model: Any) -> OnnxSequentialModel[Any]:
    """Loads the quantized model, as a serving process does."""
    loaded = MODEL_REGISTRY[model.name].from_files(model.quantize().to_files())
    assert isinstance(loaded, OnnxSequentialModel)
    return loaded


@pytest.mark.parametrize("name", NETWORKS)
def test_a_warm_started_network_scores_as_before_over_renumbered_items(
    name: str, fitted_models: dict[str, Any], board: Dataset
) -> None:
    served = load_quantized(fitted_models[name])
    old_index = np.array([-1, *range(2, ITEMS), 0, -1], np.int32)
    trainer = ALL_MODELS[name]()
    assert isinstance(trainer, SequentialTrainer)
    assert trainer.warm_start(served, old_index, np.random.default_rng(0))
    assert trainer._trained_network is not None
    rows = trainer._trained_network.item_embedding.weight.detach().numpy()[:-1]
    np.testing.assert_array_equal(
        rows[old_index >= 0], served.get_item_embeddings()[old_index[old_index >= 0]]
    )
    trainer.fit_partial(renumber_items(board, old_index), np.random.default_rng(0))
    recommendations = trainer.recommend(Histories.from_lists([[1, 3, 5], [2, 4, 6]]), 5)
    assert (old_index[recommendations.items] % 2 == [[0], [1]]).all()


def renumber_items(board: Dataset, old_index: np.ndarray[Any, Any]) -> Dataset:
    """Renumbers the items of all events. Events of item 1, which has left the catalogue, are dropped."""
    new_index = {int(old): new for new, old in enumerate(old_index) if old >= 0}
    rows = [
        [new_index[item] for item in board.histories.slice_row(user).tolist() if item in new_index]
        for user in range(board.n_users)
    ]
    return Dataset.from_sequences(rows, n_items=len(old_index))


def test_a_warm_start_restores_the_trained_weights(fitted_models: dict[str, Any]) -> None:
    served = load_quantized(fitted_models["sequence"])
    trainer = SASRecTrainer(SMALL)
    assert trainer.warm_start(served, np.arange(ITEMS, dtype=np.int32), np.random.default_rng(5))
    network, trained_network = trainer._trained_network, fitted_models["sequence"]._trained_network
    assert network is not None
    # The embedding table was stored as int8.
    np.testing.assert_allclose(
        network.get_item_embeddings(), trained_network.get_item_embeddings(), atol=0.02
    )
    stored = trained_network.state_dict()
    for name, parameter in network.state_dict().items():
        if name not in ITEM_PARAMETERS:
            np.testing.assert_array_equal(parameter.numpy(), stored[name].numpy(), err_msg=name)


def test_a_new_item_starts_from_its_features() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 6)).astype(np.float32)
    is_trained = np.arange(40) < 30
    network = NextItemNetwork(SMALL, 40, SASRecTrainer(SMALL)._build_mixer)
    with torch.no_grad():
        network.item_embedding.weight[:-1].copy_(
            torch.from_numpy(features @ rng.normal(size=(6, SMALL.dimensions)).astype("f"))
        )
    before = network.get_item_embeddings()
    network.add_item_features(features, is_trained)
    np.testing.assert_allclose(network.get_item_embeddings()[is_trained], before[is_trained], atol=1e-4)
    # Embeddings of new items were not read. They follow from the features alone.
    assert (
        np.corrcoef(network.get_item_embeddings()[~is_trained].ravel(), before[~is_trained].ravel())[0, 1]
        > 0.99
    )
    assert not network.item_embedding.weight[:-1][~is_trained].any()


def test_a_model_without_stored_weights_cannot_be_warm_started(board: Dataset) -> None:
    old_model = SASRec.load(OLD_ARTEFACT)
    trainer = SASRecTrainer(old_model.config)
    assert not trainer.warm_start(
        old_model, np.arange(old_model.items, dtype=np.int32), np.random.default_rng(0)
    )
    assert trainer._trained_network is None


def test_an_ensemble_with_a_network_without_stored_weights_is_not_warm_started() -> None:
    old_model = SASRec.load(OLD_ARTEFACT)
    live = Ensemble({old_model.name: old_model}, Blend({old_model.name: 1.0}), old_model.items)
    old_index = np.arange(old_model.items, dtype=np.int32)
    options: dict[str, Any] = {
        "profile": "fast",
        "progress": ProgressTracker(ignore_progress),
        "rng": np.random.default_rng(0),
    }
    assert warm_start_models(live, old_index, **options) is None


def test_a_model_of_another_shape_cannot_be_warm_started(fitted_models: dict[str, Any]) -> None:
    trainer = SASRecTrainer(SASRecConfig(dimensions=8))
    old_index = np.arange(ITEMS, dtype=np.int32)
    assert not trainer.warm_start(
        load_quantized(fitted_models["sequence"]), old_index, np.random.default_rng(0)
    )
