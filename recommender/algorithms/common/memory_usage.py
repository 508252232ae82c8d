"""How much memory a model holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse


def measure_memory_bytes(model: object) -> int:
    """Of the arrays, files and vocabularies that the model refers to, each once, and of the tables in
    kernels; what else libraries hold is not seen."""
    return sum(dict(_iter_buffers(model, set())).values())


def _iter_buffers(value: Any, visited: set[int]) -> Iterator[tuple[int, int]]:
    """Identity and size of each."""
    if id(value) in visited:
        return
    visited.add(id(value))
    if isinstance(value, np.ndarray):
        yield _find_base_buffer(value)
    elif isinstance(value, bytes):
        yield id(value), len(value)
    elif sparse.issparse(value):
        yield from map(_find_base_buffer, (value.data, value.indices, value.indptr))
    elif isinstance(value, Mapping):
        if isinstance(next(iter(value.values()), None), int):
            yield id(value), sys.getsizeof(value) + sum(map(sys.getsizeof, value))
        for part in value.values():
            if not isinstance(part, int | float | str):
                yield from _iter_buffers(part, visited)
    elif hasattr(value, "__dict__") and type(value).__module__.startswith("recommender."):
        yield from _iter_buffers(vars(value), visited)
        yield id(value), getattr(value, "session_bytes", 0)


def _find_base_buffer(array: np.ndarray[Any, Any]) -> tuple[int, int]:
    """Of the array whose memory this one looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array), int(array.nbytes)
