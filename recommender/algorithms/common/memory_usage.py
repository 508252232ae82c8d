"""Memory that the arrays of a model occupy."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse

# Dotted prefix of our own modules: objects of libraries are not descended into.
_OWN_PACKAGE = "recommender."


def measure_memory_bytes(model: object) -> int:
    """Sums the sizes of all arrays, byte strings and vocabularies that the model refers to, each counted once.

    Includes weights held by ONNX Runtime sessions where an object reports them as `session_bytes`; other memory of
    libraries is not visible.
    """
    sizes = dict(_iter_buffers(model, set()))
    return sum(sizes.values())


def _iter_buffers(
    value: Any,
    visited: set[int],
) -> Iterator[tuple[int, int]]:
    """Yields (identity, bytes) of every buffer below `value`; shared buffers may be yielded twice."""
    if id(value) in visited:
        return
    visited.add(id(value))
    if isinstance(value, np.ndarray):
        yield _find_base_buffer(value)
    elif isinstance(value, bytes):
        yield id(value), len(value)
    elif sparse.issparse(value):
        for array in (value.data, value.indices, value.indptr):
            yield _find_base_buffer(array)
    elif isinstance(value, Mapping):
        yield from _iter_mapping_buffers(value, visited)
    elif hasattr(value, "__dict__") and type(value).__module__.startswith(_OWN_PACKAGE):
        yield from _iter_buffers(vars(value), visited)
        yield id(value), getattr(value, "session_bytes", 0)


def _iter_mapping_buffers(
    mapping: Mapping[Any, Any],
    visited: set[int],
) -> Iterator[tuple[int, int]]:
    # A mapping to integers is a vocabulary: its keys and its hash table are what takes the memory.
    if isinstance(next(iter(mapping.values()), None), int):
        key_bytes = sum(map(sys.getsizeof, mapping))
        yield id(mapping), sys.getsizeof(mapping) + key_bytes
    for value in mapping.values():
        if not isinstance(value, int | float | str):
            yield from _iter_buffers(value, visited)


def _find_base_buffer(array: np.ndarray[Any, Any]) -> tuple[int, int]:
    """Returns identity and size of the array that owns the memory, so that views are not counted again."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array), int(array.nbytes)
