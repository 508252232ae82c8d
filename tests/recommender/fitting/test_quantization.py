"""Quantized models: their accuracy, files and memory."""

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


def test_an_int8_value_is_at_most_half_a_step_off() -> None:
    values = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32)
    values *= 10.0 ** np.arange(-25, 25)[:, None].clip(-6, 6)
    values[7] = 0
    codes, step = quantize_rows(values)
    assert codes.dtype == np.int8
    assert (
        np.abs(dequantize(codes, step) - values) <= np.abs(values).max(axis=1)[:, None] / 127 * 0.501
    ).all()


def test_rows_of_different_lengths_have_separate_steps() -> None:
    codes, step = quantize_csr_rows(np.array([1, -2, 100, 50], np.float32), np.array([0, 2, 2, 4], np.int64))
    assert codes.tolist() == [64, -127, 127, 64]
    assert step.tolist() == pytest.approx([2 / 127, 1, 100 / 127])


def test_every_quantized_model_scores_nearly_as_before(name: str, fitted_model: Recommender[Any]) -> None:
    histories = Histories.from_lists([[0, 2, 6], [], [5], [1, 3]])
    scores, quantized_scores = fitted_model.score(histories), fitted_model.quantize().score(histories)
    assert np.abs(scores - quantized_scores).max() <= 0.02 * max(np.abs(scores).max(), 1e-6)


def test_a_quantized_model_is_saved_and_loaded_as_int8(
    name: str, fitted_model: Recommender[Any], tmp_path: Path
) -> None:
    quantized = fitted_model.quantize()
    quantized.save(tmp_path)
    loaded = MODEL_REGISTRY[name].load(tmp_path)
    histories = Histories.from_lists([[0, 2], [], [7]])
    assert np.array_equal(loaded.score(histories), quantized.score(histories))
    np.testing.assert_allclose(
        loaded.score_history(np.array([0, 2], np.int32)), quantized.score(histories)[0], rtol=0.05, atol=0.02
    )
    dtypes = {str(array.dtype) for array in load_file(tmp_path / "arrays.safetensors").values()}
    assert ("int8" in dtypes) is (name not in ("popularity", "recent_popularity", "triple_similarity"))


def test_a_large_batch_scores_like_small_ones(fitted_models: dict[str, Recommender[Any]]) -> None:
    rows = Histories.from_lists([[user % 24, (user + 2) % 24] for user in range(MAX_ROWWISE_HISTORIES + 10)])
    for model in (fitted_models["ease"], fitted_models["ease"].quantize()):
        small_batch_scores = np.concatenate(
            [model.score(chunk) for _, chunk in rows.iter_chunks(MAX_ROWWISE_HISTORIES // 2)]
        )
        np.testing.assert_allclose(model.score(rows), small_batch_scores, atol=1e-5)


def test_shared_memory_is_counted_once() -> None:
    table = np.zeros(1000, np.float64)
    assert measure_memory_bytes({"a": table, "b": table[:10], "c": b"12345"}) == 8_005


@pytest.fixture(scope="module")
def split() -> Split:
    """Every user visits the items in their order, so that the next item is certain."""
    rows = [[(7 * user + step) % 40 for step in range(6)] for user in range(200)]
    return leave_last_out(Dataset.from_sequences(rows))


class LossyTransitions(Transitions):
    """Quantization removes all of its information."""

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        quantized = super()._quantize_arrays(arrays)
        return quantized | {"data": np.zeros_like(quantized["data"])}


def fit_models(split: Split, *models: Recommender[Any]) -> dict[str, Recommender[Any]]:
    for model in models:
        model.fit(split.train, np.random.default_rng(0))
    return {model.name: model for model in models}


BLEND = Blend({"popularity": 0.01, "transitions": 1.0})


def test_a_model_that_would_lose_too_much_is_not_quantized(split: Split) -> None:
    models = fit_models(split, Popularity(), LossyTransitions())
    quantization_report = select_quantized_models(models, BLEND, split, k=10)
    assert quantization_report["models"]["transitions"]["compressed"] is False
    assert quantization_report["ndcg@10_after"] >= quantization_report["ndcg@10_before"] * (
        1 - quantization_report["limit"]
    )
    quantized = quantize_ensemble(Ensemble(models, BLEND, 40, {"quantization": quantization_report}))
    assert quantized.models["transitions"] is models["transitions"]


def test_the_report_has_the_quality_loss_and_the_saved_bytes(split: Split) -> None:
    models = fit_models(split, Popularity(), Transitions())
    quantization_report = select_quantized_models(models, BLEND, split, k=10)
    quantized = quantize_ensemble(Ensemble(models, BLEND, 40, {"quantization": quantization_report}))
    report = quantized.training_report["quantization"]
    assert report["ndcg@10_after"] >= report["ndcg@10_before"] * 0.99
    assert report["cases"] == len(split)
    transitions = report["models"]["transitions"]
    assert transitions["compressed"] is True
    assert transitions["file_bytes_before"] == sum(map(len, models["transitions"].to_files().values()))
    assert transitions["file_bytes_after"] == sum(
        map(len, quantized.models["transitions"].to_files().values())
    )
    assert transitions["file_bytes_after"] < transitions["file_bytes_before"]
    assert (
        transitions["memory_bytes_after"]
        == measure_memory_bytes(quantized.models["transitions"])
        < transitions["memory_bytes_before"]
    )
    assert report["models"]["popularity"]["compressed"] is False


def test_without_a_quantization_report_nothing_is_quantized(split: Split) -> None:
    ensemble = Ensemble(fit_models(split, Popularity(), Transitions()), BLEND, 40)
    assert quantize_ensemble(ensemble) is ensemble
