"""What is served in fewer bytes, and what that may cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.memory_usage import measure_memory_bytes
from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.common.similarity_matrix import MAX_ROWWISE_HISTORIES
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.ensemble.registry import MODEL_REGISTRY
from recommender.algorithms.neighbourhood.transitions import Transitions
from recommender.algorithms.popularity.popularity import Popularity
from recommender.dataset import Dataset, Split, leave_last_out
from recommender.fitting.quantization import quantize_ensemble, select_quantized_models
from recommender.onnx.int8 import dequantize, quantize_csr_rows, quantize_rows
from recommender.types import Histories


def test_a_narrow_number_is_at_most_half_a_step_off() -> None:
    values = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32)
    values *= 10.0 ** np.arange(-25, 25)[:, None].clip(-6, 6)
    values[7] = 0
    narrow, step = quantize_rows(values)
    assert narrow.dtype == np.int8
    assert (
        np.abs(dequantize(narrow, step) - values) <= np.abs(values).max(axis=1)[:, None] / 127 * 0.501
    ).all()


def test_rows_of_different_lengths_have_steps_of_their_own() -> None:
    narrow, step = quantize_csr_rows(np.array([1, -2, 100, 50], np.float32), np.array([0, 2, 2, 4], np.int64))
    assert narrow.tolist() == [64, -127, 127, 64]
    assert step.tolist() == pytest.approx([2 / 127, 1, 100 / 127])


def test_every_member_scores_nearly_as_before(name: str, fitted: Recommender[Any]) -> None:
    histories = Histories.from_lists([[0, 2, 6], [], [5], [1, 3]])
    wide, small = fitted.score(histories), fitted.quantize().score(histories)
    assert np.abs(wide - small).max() <= 0.02 * max(np.abs(wide).max(), 1e-6)


def test_a_compressed_member_is_saved_as_small_as_it_is(
    name: str, fitted: Recommender[Any], tmp_path: Path
) -> None:
    small = fitted.quantize()
    small.save(tmp_path)
    loaded = MODEL_REGISTRY[name].load(tmp_path)
    histories = Histories.from_lists([[0, 2], [], [7]])
    assert np.array_equal(loaded.score(histories), small.score(histories))
    np.testing.assert_allclose(
        loaded.score_history(np.array([0, 2], np.int32)), small.score(histories)[0], rtol=0.05, atol=0.02
    )
    stored = {str(array.dtype) for array in load_file(tmp_path / "arrays.safetensors").values()}
    assert ("int8" in stored) is (name not in ("popularity", "recent_popularity", "triple_similarity"))


def test_many_histories_score_like_few(fitted_models: dict[str, Recommender[Any]]) -> None:
    rows = Histories.from_lists([[user % 24, (user + 2) % 24] for user in range(MAX_ROWWISE_HISTORIES + 10)])
    for model in (fitted_models["ease"], fitted_models["ease"].quantize()):
        few = np.concatenate([model.score(part) for _, part in rows.iter_chunks(MAX_ROWWISE_HISTORIES // 2)])
        np.testing.assert_allclose(model.score(rows), few, atol=1e-5)


def test_memory_shared_by_two_is_counted_once() -> None:
    table = np.zeros(1000, np.float64)
    assert measure_memory_bytes({"a": table, "b": table[:10], "c": b"12345"}) == 8_005


@pytest.fixture(scope="module")
def split() -> Split:
    """Everybody walks along the shelf: the next item is known."""
    rows = [[(7 * user + step) % 40 for step in range(6)] for user in range(200)]
    return leave_last_out(Dataset.from_sequences(rows))


class LossyTransitions(Transitions):
    """Compression takes away all that it knew."""

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        narrow = super()._quantize_arrays(arrays)
        return narrow | {"data": np.zeros_like(narrow["data"])}


def fit_models(split: Split, *members: Recommender[Any]) -> dict[str, Recommender[Any]]:
    for member in members:
        member.fit(split.train, np.random.default_rng(0))
    return {member.name: member for member in members}


BLEND = Blend({"popularity": 0.01, "transitions": 1.0})


def test_a_member_that_would_lose_too_much_is_served_as_it_was_trained(split: Split) -> None:
    members = fit_models(split, Popularity(), LossyTransitions())
    card = select_quantized_models(members, BLEND, split, k=10)
    assert card["models"]["transitions"]["compressed"] is False
    assert card["ndcg@10_after"] >= card["ndcg@10_before"] * (1 - card["limit"])
    served = quantize_ensemble(Ensemble(members, BLEND, 40, {"quantization": card}))
    assert served.models["transitions"] is members["transitions"]


def test_the_card_tells_what_it_costs_and_what_it_saves(split: Split) -> None:
    members = fit_models(split, Popularity(), Transitions())
    card = select_quantized_models(members, BLEND, split, k=10)
    served = quantize_ensemble(Ensemble(members, BLEND, 40, {"quantization": card}))
    told = served.training_report["quantization"]
    assert told["ndcg@10_after"] >= told["ndcg@10_before"] * 0.99
    assert told["cases"] == len(split)
    mine = told["models"]["transitions"]
    assert mine["compressed"] is True
    assert mine["file_bytes_before"] == sum(map(len, members["transitions"].to_files().values()))
    assert mine["file_bytes_after"] == sum(map(len, served.models["transitions"].to_files().values()))
    assert mine["file_bytes_after"] < mine["file_bytes_before"]
    assert (
        mine["memory_bytes_after"]
        == measure_memory_bytes(served.models["transitions"])
        < mine["memory_bytes_before"]
    )
    assert told["models"]["popularity"]["compressed"] is False


def test_without_a_measurement_everything_is_served_as_it_was_trained(split: Split) -> None:
    ensemble = Ensemble(fit_models(split, Popularity(), Transitions()), BLEND, 40)
    assert quantize_ensemble(ensemble) is ensemble
