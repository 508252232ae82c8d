"""A network goes on from a model that was served, over the catalogue of today."""

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
    """What a serving process has of it, in fewer bytes."""
    served = MODEL_REGISTRY[model.name].from_files(model.quantize().to_files())
    assert isinstance(served, OnnxSequentialModel)
    return served


@pytest.mark.parametrize("name", NETWORKS)
def test_it_scores_as_before_wherever_the_items_have_moved(
    name: str, fitted_models: dict[str, Any], board: Dataset
) -> None:
    served = load_quantized(fitted_models[name])
    place = np.array([-1, *range(2, ITEMS), 0, -1], np.int32)
    trainer = ALL_MODELS[name]()
    assert isinstance(trainer, SequentialTrainer)
    assert trainer.warm_start(served, place, np.random.default_rng(0))
    assert trainer._trained_network is not None
    rows = trainer._trained_network.item_embedding.weight.detach().numpy()[:-1]
    np.testing.assert_array_equal(rows[place >= 0], served.get_item_embeddings()[place[place >= 0]])
    trainer.fit_partial(renumber_items(board, place), np.random.default_rng(0))
    answer = trainer.recommend(Histories.from_lists([[1, 3, 5], [2, 4, 6]]), 5)
    assert (place[answer.items] % 2 == [[0], [1]]).all()


def renumber_items(board: Dataset, place: np.ndarray[Any, Any]) -> Dataset:
    """The same events in the numbers of today; item 1 is not sold any more."""
    number = {int(old): new for new, old in enumerate(place) if old >= 0}
    rows = [
        [number[item] for item in board.histories.slice_row(user).tolist() if item in number]
        for user in range(board.n_users)
    ]
    return Dataset.from_sequences(rows, n_items=len(place))


def test_what_it_goes_on_from_is_what_was_learned(fitted_models: dict[str, Any]) -> None:
    served = load_quantized(fitted_models["sequence"])
    trainer = SASRecTrainer(SMALL)
    assert trainer.warm_start(served, np.arange(ITEMS, dtype=np.int32), np.random.default_rng(5))
    mine, its = trainer._trained_network, fitted_models["sequence"]._trained_network
    assert mine is not None
    # The table was kept in one byte a number.
    np.testing.assert_allclose(mine.get_item_embeddings(), its.get_item_embeddings(), atol=0.02)
    stored = its.state_dict()
    for name, one in mine.state_dict().items():
        if name not in ITEM_PARAMETERS:
            np.testing.assert_array_equal(one.numpy(), stored[name].numpy(), err_msg=name)


def test_a_new_item_begins_as_what_its_text_says() -> None:
    rng = np.random.default_rng(0)
    facts = rng.normal(size=(40, 6)).astype(np.float32)
    known = np.arange(40) < 30
    network = NextItemNetwork(SMALL, 40, SASRecTrainer(SMALL)._build_mixer)
    with torch.no_grad():
        network.item_embedding.weight[:-1].copy_(
            torch.from_numpy(facts @ rng.normal(size=(6, SMALL.dimensions)).astype("f"))
        )
    before = network.get_item_embeddings()
    network.add_item_features(facts, known)
    np.testing.assert_allclose(network.get_item_embeddings()[known], before[known], atol=1e-4)
    # The new ones were not read, and are where the facts of the others say.
    assert np.corrcoef(network.get_item_embeddings()[~known].ravel(), before[~known].ravel())[0, 1] > 0.99
    assert not network.item_embedding.weight[:-1][~known].any()


def test_a_model_without_weights_cannot_be_gone_on_from(board: Dataset) -> None:
    former = SASRec.load(OLD_ARTEFACT)
    trainer = SASRecTrainer(former.config)
    assert not trainer.warm_start(former, np.arange(former.items, dtype=np.int32), np.random.default_rng(0))
    assert trainer._trained_network is None


def test_an_ensemble_with_a_network_that_cannot_go_on_is_not_continued() -> None:
    former = SASRec.load(OLD_ARTEFACT)
    live = Ensemble({former.name: former}, Blend({former.name: 1.0}), former.items)
    place = np.arange(former.items, dtype=np.int32)
    asked: dict[str, Any] = {
        "profile": "fast",
        "progress": ProgressTracker(ignore_progress),
        "rng": np.random.default_rng(0),
    }
    assert warm_start_models(live, place, **asked) is None


def test_a_model_of_another_shape_cannot_be_gone_on_from(fitted_models: dict[str, Any]) -> None:
    trainer = SASRecTrainer(SASRecConfig(dimensions=8))
    place = np.arange(ITEMS, dtype=np.int32)
    assert not trainer.warm_start(load_quantized(fitted_models["sequence"]), place, np.random.default_rng(0))
