"""A table of item vectors as it was learned, or in one byte a value. No torch."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import onnxruntime

from recommender.algorithms.base import Arrays
from recommender.algorithms.common.int8 import Int8Array, dequantize, quantize_rows
from recommender.types import Float32Array, Int32Array

# Values that the kernel for eight bits multiplies with one step; a power of two from 16 on.
QUANTIZATION_BLOCK = 64


class EmbeddingTable:
    """float32 (items, width), or int8 of the same shape with one float32 step for each row.

    A narrow table is multiplied as it is, by the kernel whose graph `product` is (ONNX, vectors_export): a quarter of the
    bytes to read, which is what a product of one vector with all items waits for. That rounds the other factor to
    eight bits, too."""

    def __init__(
        self, values: Float32Array | Int8Array, scale: Float32Array | None = None, matmul_graph: bytes = b""
    ) -> None:
        narrow = scale is not None and bool(matmul_graph)
        self._values = values if narrow else np.ascontiguousarray(dequantize(values, scale))
        self._scale = scale if narrow else None
        self._matmul_graph = matmul_graph if narrow else b""

    def __len__(self) -> int:
        return len(self._values)

    @property
    def width(self) -> int:
        return int(self._values.shape[1])

    @property
    def is_quantized(self) -> bool:
        return self._scale is not None

    @cached_property
    def matmul_session(self) -> onnxruntime.InferenceSession | None:
        """Made when it is first asked for; None where the table is wide."""
        return (
            None
            if self._scale is None
            else _create_matmul_session(self._matmul_graph, self._values, self._scale)
        )

    def prepare_session(self) -> EmbeddingTable:
        """Itself with its kernel made: what serving would else wait for at the first request."""
        _ = self.matmul_session
        return self

    @property
    def session_bytes(self) -> int:
        """What the kernel holds, once it is made: the same values in its own order."""
        if self._scale is None or self.__dict__.get("matmul_session") is None:
            return 0
        return self._values.nbytes + self._scale.nbytes

    def get_rows(self, items: Int32Array) -> Float32Array:
        """float32 (*items.shape, width)."""
        return dequantize(self._values[items], None if self._scale is None else self._scale[items])

    def to_float32(self) -> Float32Array:
        """float32 (items, width)."""
        return dequantize(self._values, self._scale)

    def dot(self, vectors: Float32Array) -> Float32Array:
        """float32 (n, items) for vectors (n, width), or (items) for one (width)."""
        if self.matmul_session is None:
            scores: Float32Array = vectors @ self._values.T if vectors.ndim == 2 else self._values @ vectors
            return scores
        asked = np.ascontiguousarray(vectors if vectors.ndim == 2 else vectors[None], dtype=np.float32)
        said: Float32Array = self.matmul_session.run(None, {"vectors": asked})[0]
        return said if vectors.ndim == 2 else said[0]

    def scale_rows(self, factors: Float32Array) -> EmbeddingTable:
        """The same with row i times by[i]; a narrow table shares its values with this one."""
        if self._scale is None:
            return EmbeddingTable(self._values * factors[:, None])
        return EmbeddingTable(self._values, self._scale * factors, self._matmul_graph)

    def to_arrays(self, name: str) -> Arrays:
        """The table as `name`, and where it is narrow its `step` and `product`, for of_arrays()."""
        if self._scale is None:
            return {name: self._values}
        return {
            name: self._values,
            "step": self._scale,
            "product": np.frombuffer(self._matmul_graph, np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, name: str) -> EmbeddingTable:
        """What arrays() wrote, or a narrow table without a product, which is held wide."""
        product = arrays.get("product")
        return cls(arrays[name], arrays.get("step"), b"" if product is None else product.tobytes())

    def quantize(self) -> EmbeddingTable:
        """The same in one byte a value. Loads onnx: where models are made."""
        if self.is_quantized:
            return self
        from recommender.algorithms.common.embedding_table_onnx import build_matmul_graph  # noqa: PLC0415 - serving has no use for onnx

        values, step = quantize_rows(self.to_float32())
        return EmbeddingTable(values, step, build_matmul_graph(*values.shape))


def _create_matmul_session(
    matmul_graph: bytes, values: Float32Array | Int8Array, scale: Float32Array
) -> onnxruntime.InferenceSession:
    items, width = values.shape
    blocks = -(-width // QUANTIZATION_BLOCK)
    # The kernel takes values from 0 to 255 of which 128 stands for zero, and blocks that are full.
    padded = np.full((items, blocks * QUANTIZATION_BLOCK), 128, np.uint8)
    padded[:, :width] = values.view(np.uint8) ^ 0x80
    # It takes the offset back in floating point, which would leave a little of it in a row of zeros.
    steps = np.where(values.any(axis=1), scale, np.float32(0))
    given = {"values": padded.reshape(items, blocks, QUANTIZATION_BLOCK), "steps": np.repeat(steps, blocks)}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    held = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in given.values()]
    options.add_external_initializers(list(given), held)
    return onnxruntime.InferenceSession(matmul_graph, options, providers=["CPUExecutionProvider"])
