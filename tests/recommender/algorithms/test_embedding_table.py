"""Embedding tables as int8."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.common.embedding_table import QUANTIZATION_BLOCK, EmbeddingTable
from recommender.algorithms.common.embedding_table_onnx import quantize_table
from recommender.algorithms.common.memory_usage import measure_memory_bytes
from recommender.types import Float32Array

WIDTHS = [1, QUANTIZATION_BLOCK - 1, QUANTIZATION_BLOCK, QUANTIZATION_BLOCK + 1, 3 * QUANTIZATION_BLOCK]


def make_values(width: int, items: int = 300) -> Float32Array:
    """Rows of very different lengths, one of zeros."""
    values = np.random.default_rng(width).normal(size=(items, width)).astype(np.float32)
    values *= np.logspace(-3, 3, items, dtype=np.float32)[:, None]
    values[7] = 0
    return values


@pytest.mark.parametrize("width", WIDTHS)
def test_int8_products_are_near_the_float32_products(width: int) -> None:
    values = make_values(width)
    queries = np.random.default_rng(1).normal(size=(40, width)).astype(np.float32)
    int8_table = quantize_table(EmbeddingTable(values))
    expected = queries @ values.T
    # Of each item, however short its row: both factors are at most half a step of 1/127 off.
    magnitude = np.linalg.norm(values, axis=1) * np.linalg.norm(queries, axis=1)[:, None]
    assert (np.abs(int8_table.dot(queries) - expected) <= 0.02 * magnitude + 1e-12).all()
    assert int8_table.dot(queries[3]) == pytest.approx(
        int8_table.dot(queries)[3], abs=0.02 * float(magnitude[3].max())
    )
    assert (int8_table.dot(queries)[:, 7] == 0).all()


def test_empty_and_zero_queries_are_accepted() -> None:
    int8_table = quantize_table(EmbeddingTable(make_values(QUANTIZATION_BLOCK)))
    assert int8_table.dot(np.zeros((0, QUANTIZATION_BLOCK), np.float32)).shape == (0, 300)
    assert not int8_table.dot(np.zeros((2, QUANTIZATION_BLOCK), np.float32)).any()


def test_rows_are_read_one_by_one_or_all_together() -> None:
    int8_table = quantize_table(EmbeddingTable(make_values(5)))
    assert np.array_equal(
        int8_table.get_rows(np.array([[9, 2], [0, 299]], np.int32))[1, 0], int8_table.to_float32()[0]
    )
    assert np.abs(int8_table.to_float32() - make_values(5)).max() <= np.abs(make_values(5)).max() / 127


def test_a_scaled_table_multiplies_each_row() -> None:
    factors = np.linspace(0.5, 2, 300, dtype=np.float32)
    queries = np.ones((2, 5), np.float32)
    for table in (EmbeddingTable(make_values(5)), quantize_table(EmbeddingTable(make_values(5)))):
        np.testing.assert_allclose(
            table.scale_rows(factors).dot(queries), table.dot(queries) * factors, rtol=1e-4, atol=1e-4
        )


def test_stored_tables_are_restored() -> None:
    for table in (EmbeddingTable(make_values(5)), quantize_table(EmbeddingTable(make_values(5)))):
        restored = EmbeddingTable.from_arrays(table.to_arrays("table"), "table")
        assert restored.is_quantized is table.is_quantized
        queries = np.ones((2, 5), np.float32)
        assert np.array_equal(restored.dot(queries), table.dot(queries))


def test_int8_codes_without_a_graph_are_dequantized() -> None:
    arrays = quantize_table(EmbeddingTable(make_values(5))).to_arrays("table")
    del arrays["matmul_graph"]
    restored = EmbeddingTable.from_arrays(arrays, "table")
    assert not restored.is_quantized
    assert restored.to_float32().dtype == np.float32
    assert np.abs(restored.to_float32() - make_values(5)).max() <= np.abs(make_values(5)).max() / 127


def test_memory_of_the_session_is_counted_once_it_exists() -> None:
    int8_table = quantize_table(EmbeddingTable(make_values(QUANTIZATION_BLOCK)))
    before = measure_memory_bytes({"a": int8_table})
    assert before == pytest.approx(300 * QUANTIZATION_BLOCK + 300 * 4, rel=0.5)
    assert (
        measure_memory_bytes({"a": int8_table.prepare_session()})
        == before + 300 * QUANTIZATION_BLOCK + 300 * 4
    )
    assert measure_memory_bytes({"a": int8_table}) < measure_memory_bytes(
        {"a": EmbeddingTable(make_values(QUANTIZATION_BLOCK))}
    )
