"""A table of item vectors, as float32 or as int8. No torch, no onnx."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime

from recommender.algorithms.base import Arrays
from recommender.onnx.int8 import Int8Array, dequantize
from recommender.onnx.session import create_session
from recommender.types import Float32Array, Int32Array

# Values per quantisation block of the MatMulNBits kernel; it accepts powers of two from 16 on.
QUANTIZATION_BLOCK = 64
# The kernel reads unsigned codes with 128 as the zero point.
_ZERO_POINT = 128


class EmbeddingTable:
    """Item vectors: float32 (items, width), or int8 codes of that shape with one float32 scale per row.

    An int8 table is multiplied without being dequantised, by onnxruntime's MatMulNBits kernel. The product of one
    vector with all items is bound by memory bandwidth, and int8 is a quarter of the bytes. The kernel also rounds the
    vector to 8 bits.
    """

    def __init__(
        self,
        values: Float32Array | Int8Array,
        scale: Float32Array | None = None,
        matmul_graph: bytes = b"",
    ) -> None:
        """Stores the table; codes without a graph are dequantised.

        Args:
            values: float32 (items, width), or int8 codes of that shape.
            scale: float32 (items), the scales of int8 codes.
            matmul_graph: ONNX written by `embedding_table_onnx.build_matmul_graph`.
        """
        self._values = values
        self._scale = scale
        self._matmul_graph = matmul_graph
        if scale is None or not matmul_graph:
            self._values = np.ascontiguousarray(dequantize(values, scale))
            self._scale = None
            self._matmul_graph = b""

    def __len__(self) -> int:
        return len(self._values)

    @property
    def width(self) -> int:
        """Number of values of a vector."""
        return int(self._values.shape[1])

    @property
    def is_quantized(self) -> bool:
        """Whether the table is held as int8."""
        return self._scale is not None

    @cached_property
    def matmul_session(self) -> onnxruntime.InferenceSession | None:
        """The session of the int8 kernel, created on first use; None for a float32 table."""
        if self._scale is None:
            return None
        return _create_matmul_session(self._matmul_graph, self._values, self._scale)

    def prepare_session(self) -> EmbeddingTable:
        """Creates the session now, so that the first request does not wait for it. Returns the table itself."""
        _ = self.matmul_session
        return self

    @property
    def session_bytes(self) -> int:
        """Bytes of the session's own copy of the table; zero before the session is created."""
        if self._scale is None or self.__dict__.get("matmul_session") is None:
            return 0
        return self._values.nbytes + self._scale.nbytes

    def get_rows(self, items: Int32Array) -> Float32Array:
        """Returns the vectors of the items, float32 (*items.shape, width)."""
        scale = None
        if self._scale is not None:
            scale = self._scale[items]
        return dequantize(self._values[items], scale)

    def to_float32(self) -> Float32Array:
        """Returns the whole table, float32 (items, width)."""
        return dequantize(self._values, self._scale)

    def dot(self, vectors: Float32Array) -> Float32Array:
        """Multiplies with all items: float32 (n, items) for vectors (n, width), (items) for one vector (width)."""
        is_single = vectors.ndim == 1
        if self.matmul_session is None:
            # A matrix-vector product for one vector: BLAS reads the table once, in its own order.
            products: Float32Array = self._values @ vectors if is_single else vectors @ self._values.T
            return products
        batch = np.ascontiguousarray(np.atleast_2d(vectors), dtype=np.float32)
        products = self.matmul_session.run(None, {"vectors": batch})[0]
        return products[0] if is_single else products

    def scale_rows(self, factors: Float32Array) -> EmbeddingTable:
        """Returns the table with row i multiplied by factors[i]; an int8 table shares its codes with this one."""
        if self._scale is None:
            return EmbeddingTable(self._values * factors[:, None])
        return EmbeddingTable(
            self._values,
            scale=self._scale * factors,
            matmul_graph=self._matmul_graph,
        )

    def to_arrays(self, name: str) -> Arrays:
        """Returns the arrays to store: the table under `name`, and for int8 also `scale` and `matmul_graph`."""
        arrays: Arrays = {name: self._values}
        if self._scale is not None:
            arrays["scale"] = self._scale
            # safetensors stores arrays only, so the graph's bytes are stored as one.
            arrays["matmul_graph"] = np.frombuffer(self._matmul_graph, np.uint8)
        return arrays

    @classmethod
    def from_arrays(
        cls,
        arrays: Arrays,
        name: str,
    ) -> EmbeddingTable:
        """Restores a table from `to_arrays`; int8 codes without a graph are dequantised."""
        graph = b""
        if "matmul_graph" in arrays:
            graph = arrays["matmul_graph"].tobytes()
        return cls(
            values=arrays[name],
            scale=arrays.get("scale"),
            matmul_graph=graph,
        )


def _create_matmul_session(
    matmul_graph: bytes,
    values: np.ndarray[Any, Any],
    scale: Float32Array,
) -> onnxruntime.InferenceSession:
    n_items, width = values.shape
    n_blocks = count_blocks(width)
    codes = np.full(
        (n_items, n_blocks * QUANTIZATION_BLOCK),
        _ZERO_POINT,
        np.uint8,
    )
    # Flipping the sign bit of an int8 code adds 128 to it as an unsigned number.
    codes[:, :width] = values.view(np.uint8) ^ 0x80
    # The kernel subtracts the zero point in floating point, so a row of zeros would keep a rounding error.
    scales = np.where(values.any(axis=1), scale, np.float32(0))
    initializers = {
        "values": codes.reshape(n_items, n_blocks, QUANTIZATION_BLOCK),
        # The kernel takes one scale per block; here all blocks of a row share the row's.
        "scales": np.repeat(scales, n_blocks),
    }
    return create_session(matmul_graph, initializers=initializers)


def count_blocks(width: int) -> int:
    """Returns the number of quantisation blocks of a vector: width / QUANTIZATION_BLOCK, rounded up."""
    return -(-width // QUANTIZATION_BLOCK)
