"""Tables of vectors in one byte a value, multiplied as they are."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.common.embedding_table import QUANTIZATION_BLOCK, EmbeddingTable
from recommender.algorithms.common.embedding_table_onnx import quantize_table
from recommender.algorithms.common.memory_usage import measure_memory_bytes
from recommender.types import Float32Array

WIDTHS = [1, QUANTIZATION_BLOCK - 1, QUANTIZATION_BLOCK, QUANTIZATION_BLOCK + 1, 3 * QUANTIZATION_BLOCK]


def table(width: int, items: int = 300) -> Float32Array:
    """Rows of very different lengths, one of zeros."""
    values = np.random.default_rng(width).normal(size=(items, width)).astype(np.float32)
    values *= np.logspace(-3, 3, items, dtype=np.float32)[:, None]
    values[7] = 0
    return values


@pytest.mark.parametrize("width", WIDTHS)
def test_a_narrow_table_says_nearly_what_the_wide_one_says(width: int) -> None:
    wide, asked = table(width), np.random.default_rng(1).normal(size=(40, width)).astype(np.float32)
    narrow = quantize_table(EmbeddingTable(wide))
    expected = asked @ wide.T
    # Of each item, however short its row: both factors are at most half a step of 1/127 off.
    size = np.linalg.norm(wide, axis=1) * np.linalg.norm(asked, axis=1)[:, None]
    assert (np.abs(narrow.dot(asked) - expected) <= 0.02 * size + 1e-12).all()
    assert narrow.dot(asked[3]) == pytest.approx(narrow.dot(asked)[3], abs=0.02 * float(size[3].max()))
    assert (narrow.dot(asked)[:, 7] == 0).all()


def test_many_and_no_vectors_can_be_asked() -> None:
    narrow = quantize_table(EmbeddingTable(table(QUANTIZATION_BLOCK)))
    assert narrow.dot(np.zeros((0, QUANTIZATION_BLOCK), np.float32)).shape == (0, 300)
    assert not narrow.dot(np.zeros((2, QUANTIZATION_BLOCK), np.float32)).any()


def test_rows_are_read_one_by_one_or_all_together() -> None:
    narrow = quantize_table(EmbeddingTable(table(5)))
    assert np.array_equal(
        narrow.get_rows(np.array([[9, 2], [0, 299]], np.int32))[1, 0], narrow.to_float32()[0]
    )
    assert np.abs(narrow.to_float32() - table(5)).max() <= np.abs(table(5)).max() / 127


def test_a_scaled_table_multiplies_each_row() -> None:
    by = np.linspace(0.5, 2, 300, dtype=np.float32)
    asked = np.ones((2, 5), np.float32)
    for vectors in (EmbeddingTable(table(5)), quantize_table(EmbeddingTable(table(5)))):
        np.testing.assert_allclose(
            vectors.scale_rows(by).dot(asked), vectors.dot(asked) * by, rtol=1e-4, atol=1e-4
        )


def test_what_was_stored_is_read_back() -> None:
    for vectors in (EmbeddingTable(table(5)), quantize_table(EmbeddingTable(table(5)))):
        again = EmbeddingTable.from_arrays(vectors.to_arrays("table"), "table")
        assert again.is_quantized is vectors.is_quantized
        asked = np.ones((2, 5), np.float32)
        assert np.array_equal(again.dot(asked), vectors.dot(asked))


def test_a_narrow_table_of_before_the_kernel_is_read_wide() -> None:
    arrays = quantize_table(EmbeddingTable(table(5))).to_arrays("table")
    del arrays["matmul_graph"]
    old = EmbeddingTable.from_arrays(arrays, "table")
    assert not old.is_quantized
    assert old.to_float32().dtype == np.float32
    assert np.abs(old.to_float32() - table(5)).max() <= np.abs(table(5)).max() / 127


def test_what_the_kernel_holds_is_counted_once_it_is_made() -> None:
    narrow = quantize_table(EmbeddingTable(table(QUANTIZATION_BLOCK)))
    before = measure_memory_bytes({"a": narrow})
    assert before == pytest.approx(300 * QUANTIZATION_BLOCK + 300 * 4, rel=0.5)
    assert (
        measure_memory_bytes({"a": narrow.prepare_session()}) == before + 300 * QUANTIZATION_BLOCK + 300 * 4
    )
    assert measure_memory_bytes({"a": narrow}) < measure_memory_bytes(
        {"a": EmbeddingTable(table(QUANTIZATION_BLOCK))}
    )
