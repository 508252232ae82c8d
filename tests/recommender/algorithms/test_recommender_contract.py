"""The contract of every model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.algorithms.base import Recommender
from recommender.algorithms.ensemble.registry import MODEL_REGISTRY
from recommender.dataset import Dataset
from recommender.types import DataError, Histories, InsufficientDataError
from tests.recommender.checkerboard import ALL_MODELS, ITEMS, PERSONAL_MODELS


def make_int32(*numbers: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array(numbers, dtype=np.int32)


@pytest.mark.parametrize("model_name", list(PERSONAL_MODELS))
def test_checkerboard_histories_get_items_of_their_own_colour(
    model_name: str, fitted_models: dict[str, Recommender[Any]]
) -> None:
    recommendations = fitted_models[model_name].recommend(Histories.from_lists([[0, 4, 2], [1, 7, 3]]), 5)
    assert (recommendations.items % 2 == [[0], [1]]).all()


@pytest.mark.parametrize("model_name", list(PERSONAL_MODELS))
def test_similar_items_have_the_same_colour_and_are_never_the_item_itself(
    model_name: str, fitted_models: dict[str, Recommender[Any]]
) -> None:
    recommendations = fitted_models[model_name].find_similar_items(make_int32(4, 5), 5)
    assert (recommendations.items % 2 == [[0], [1]]).all()
    assert not (recommendations.items == [[4], [5]]).any()


def test_popularity_ranks_by_count() -> None:
    model = ALL_MODELS["popularity"]()
    model.fit(Dataset.from_sequences([[0, 1], [1, 2], [1, 2]], n_items=4), np.random.default_rng(0))
    assert model.recommend(Histories.from_lists([[]]), 4).items.tolist() == [[1, 2, 0, 3]]


def test_the_same_seed_makes_the_same_model(
    name: str, board: Dataset, fitted_model: Recommender[Any]
) -> None:
    second_model = ALL_MODELS[name]()
    second_model.fit(board, np.random.default_rng(0))
    histories = Histories.from_lists([[0, 2], [3]])
    assert np.array_equal(second_model.score(histories), fitted_model.score(histories))


def test_scores_are_finite_float32_of_the_promised_shape(fitted_model: Recommender[Any]) -> None:
    scores = fitted_model.score(Histories.from_lists([[0, 2], [], [5]]))
    assert scores.shape == (3, ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_one_history_scores_as_it_does_among_others(fitted_model: Recommender[Any]) -> None:
    batch = fitted_model.score(Histories.from_lists([[0, 2, 6, 8], [], [5]]))
    for row, history in enumerate(([0, 2, 6, 8], [], [5])):
        np.testing.assert_allclose(
            fitted_model.score_history(make_int32(*history)), batch[row], rtol=0.05, atol=0.02
        )


def test_unknown_items_in_a_history_do_not_count(fitted_model: Recommender[Any]) -> None:
    expected = fitted_model.score(Histories.from_lists([[2, 4]]))
    assert np.array_equal(fitted_model.score(Histories.from_lists([[-1, 2, 4, 999]])), expected)


def test_an_immediate_repetition_counts_once(fitted_model: Recommender[Any]) -> None:
    assert np.array_equal(
        fitted_model.score_history(make_int32(2, 4, 4, 4)), fitted_model.score_history(make_int32(2, 4))
    )


def test_seen_items_are_excluded_by_default(fitted_model: Recommender[Any]) -> None:
    history = Histories.from_lists([[0, 2, 4]])
    assert not set(fitted_model.recommend(history, ITEMS).items[0].tolist()) & {0, 2, 4}
    with_seen = fitted_model.recommend(history, ITEMS, exclude_seen=False)
    assert sorted(with_seen.items[0].tolist()) == list(range(ITEMS))


def test_ranks_without_an_item_are_minus_one_and_minus_infinity(fitted_model: Recommender[Any]) -> None:
    recommendations = fitted_model.recommend(Histories.from_lists([list(range(ITEMS - 2))]), 5)
    assert (recommendations.items[0, :2] >= 0).all()
    assert recommendations.items[0, 2:].tolist() == [-1, -1, -1]
    assert np.isneginf(recommendations.scores[0, 2:]).all()


def test_recommendations_are_sorted_best_first(fitted_model: Recommender[Any]) -> None:
    scores = fitted_model.recommend(Histories.from_lists([[0, 2], [1]]), 10).scores
    assert (np.diff(scores, axis=1) <= 0).all()


def test_no_histories_give_no_recommendations(fitted_model: Recommender[Any]) -> None:
    assert fitted_model.recommend(Histories.from_lists([]), 3).items.shape == (0, 3)


def test_a_saved_model_loads_equal_without_torch(
    name: str, fitted_model: Recommender[Any], tmp_path: Path
) -> None:
    fitted_model.save(tmp_path)
    loaded = MODEL_REGISTRY[name].load(tmp_path)
    histories = Histories.from_lists([[0, 2], [], [7]])
    assert np.array_equal(loaded.score(histories), fitted_model.score(histories))
    assert loaded.config == fitted_model.config
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".onnx"}


def test_files_of_another_algorithm_are_refused(name: str, fitted_model: Recommender[Any]) -> None:
    other_class = next(
        model_class for other_name, model_class in MODEL_REGISTRY.items() if other_name != name
    )
    with pytest.raises(DataError, match="do not hold a model"):
        other_class.from_files(fitted_model.to_files())


def test_similar_items_of_an_unknown_item_are_refused(fitted_model: Recommender[Any]) -> None:
    with pytest.raises(DataError, match="outside the catalogue"):
        fitted_model.find_similar_items(make_int32(ITEMS), 3)


def test_a_catalogue_without_items_is_refused(name: str) -> None:
    with pytest.raises(InsufficientDataError):
        ALL_MODELS[name]().fit(Dataset.from_sequences([[]]), np.random.default_rng(0))


def test_one_event_is_enough_for_popularity() -> None:
    model = ALL_MODELS["popularity"]()
    model.fit(Dataset.from_sequences([[1]], n_items=3), np.random.default_rng(0))
    assert model.recommend(Histories.from_lists([[]]), 1).items.tolist() == [[1]]


@pytest.mark.parametrize("model_name", list(PERSONAL_MODELS))
def test_other_models_give_the_reason_why_one_event_is_not_enough(model_name: str) -> None:
    with pytest.raises(
        InsufficientDataError,
        match=r"no user chose two different items|no item has an? \w+|no item has triples|no item has enough reviews",
    ):
        ALL_MODELS[model_name]().fit(Dataset.from_sequences([[1]], n_items=3), np.random.default_rng(0))


def test_fitting_leaves_the_events_as_they_were(name: str, board: Dataset) -> None:
    before = [array.copy() for array in (board.indptr, board.item, board.histories.item)]
    ALL_MODELS[name]().fit(board, np.random.default_rng(0))
    after = (board.indptr, board.item, board.histories.item)
    assert all(np.array_equal(expected, actual) for expected, actual in zip(before, after, strict=True))


def test_events_are_read_only(board: Dataset) -> None:
    with pytest.raises(ValueError, match="read-only"):
        board.histories.item[0] = 1
