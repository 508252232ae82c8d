"""A table of item vectors as it was learned, or in one byte a value. No torch."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import onnxruntime

from recommender.algorithms.base import Arrays
from recommender.algorithms.narrow import Bytes, narrow_rows, widened
from recommender.types import Floats, Ints

# Values that the kernel for eight bits multiplies with one step; a power of two from 16 on.
BLOCK = 64


class Vectors:
    """float32 (items, width), or int8 of the same shape with one float32 step for each row.

    A narrow table is multiplied as it is, by the kernel whose graph `product` is (ONNX, vectors_export): a quarter of the
    bytes to read, which is what a product of one vector with all items waits for. That rounds the other factor to
    eight bits, too."""

    def __init__(self, values: Floats | Bytes, step: Floats | None = None, product: bytes = b"") -> None:
        narrow = step is not None and bool(product)
        self._values = values if narrow else np.ascontiguousarray(widened(values, step))
        self._step = step if narrow else None
        self._product = product if narrow else b""

    def __len__(self) -> int:
        return len(self._values)

    @property
    def width(self) -> int:
        return int(self._values.shape[1])

    @property
    def is_narrow(self) -> bool:
        return self._step is not None

    @cached_property
    def kernel(self) -> onnxruntime.InferenceSession | None:
        """Made when it is first asked for; None where the table is wide."""
        return None if self._step is None else _kernel(self._product, self._values, self._step)

    def prepared(self) -> Vectors:
        """Itself with its kernel made: what serving would else wait for at the first request."""
        _ = self.kernel
        return self

    @property
    def bytes_outside(self) -> int:
        """What the kernel holds, once it is made: the same values in its own order."""
        if self._step is None or self.__dict__.get("kernel") is None:
            return 0
        return self._values.nbytes + self._step.nbytes

    def rows(self, items: Ints) -> Floats:
        """float32 (*items.shape, width)."""
        return widened(self._values[items], None if self._step is None else self._step[items])

    def wide(self) -> Floats:
        """float32 (items, width)."""
        return widened(self._values, self._step)

    def dot(self, vectors: Floats) -> Floats:
        """float32 (n, items) for vectors (n, width), or (items) for one (width)."""
        if self.kernel is None:
            scores: Floats = vectors @ self._values.T if vectors.ndim == 2 else self._values @ vectors
            return scores
        asked = np.ascontiguousarray(vectors if vectors.ndim == 2 else vectors[None], dtype=np.float32)
        said: Floats = self.kernel.run(None, {"vectors": asked})[0]
        return said if vectors.ndim == 2 else said[0]

    def scaled(self, by: Floats) -> Vectors:
        """The same with row i times by[i]; a narrow table shares its values with this one."""
        if self._step is None:
            return Vectors(self._values * by[:, None])
        return Vectors(self._values, self._step * by, self._product)

    def arrays(self, name: str) -> Arrays:
        """The table as `name`, and where it is narrow its `step` and `product`, for of_arrays()."""
        if self._step is None:
            return {name: self._values}
        return {name: self._values, "step": self._step, "product": np.frombuffer(self._product, np.uint8)}

    @classmethod
    def of_arrays(cls, arrays: Arrays, name: str) -> Vectors:
        """What arrays() wrote, or a narrow table without a product, which is held wide."""
        product = arrays.get("product")
        return cls(arrays[name], arrays.get("step"), b"" if product is None else product.tobytes())

    def narrowed(self) -> Vectors:
        """The same in one byte a value. Loads onnx: where models are made."""
        if self.is_narrow:
            return self
        from recommender.algorithms.vectors_export import product  # noqa: PLC0415 - serving has no use for onnx

        values, step = narrow_rows(self.wide())
        return Vectors(values, step, product(*values.shape))


def _kernel(product: bytes, values: Floats | Bytes, step: Floats) -> onnxruntime.InferenceSession:
    items, width = values.shape
    blocks = -(-width // BLOCK)
    # The kernel takes values from 0 to 255 of which 128 stands for zero, and blocks that are full.
    padded = np.full((items, blocks * BLOCK), 128, np.uint8)
    padded[:, :width] = values.view(np.uint8) ^ 0x80
    # It takes the offset back in floating point, which would leave a little of it in a row of zeros.
    steps = np.where(values.any(axis=1), step, np.float32(0))
    given = {"values": padded.reshape(items, blocks, BLOCK), "steps": np.repeat(steps, blocks)}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    held = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in given.values()]
    options.add_external_initializers(list(given), held)
    return onnxruntime.InferenceSession(product, options, providers=["CPUExecutionProvider"])
