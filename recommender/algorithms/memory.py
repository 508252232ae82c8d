"""How much memory a model holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse


def held_bytes(model: object) -> int:
    """Of the arrays, files and vocabularies that the model refers to, each once, and of the tables in
    kernels; what else libraries hold is not seen."""
    return sum(dict(_parts(model, set())).values())


def _parts(found: Any, met: set[int]) -> Iterator[tuple[int, int]]:
    """Identity and size of each."""
    if id(found) in met:
        return
    met.add(id(found))
    if isinstance(found, np.ndarray):
        yield _owned(found)
    elif isinstance(found, bytes):
        yield id(found), len(found)
    elif sparse.issparse(found):
        yield from map(_owned, (found.data, found.indices, found.indptr))
    elif isinstance(found, Mapping):
        if isinstance(next(iter(found.values()), None), int):
            yield id(found), sys.getsizeof(found) + sum(map(sys.getsizeof, found))
        for part in found.values():
            if not isinstance(part, int | float | str):
                yield from _parts(part, met)
    elif hasattr(found, "__dict__") and type(found).__module__.startswith("recommender."):
        yield from _parts(vars(found), met)
        yield id(found), getattr(found, "bytes_outside", 0)


def _owned(array: np.ndarray[Any, Any]) -> tuple[int, int]:
    """Of the array whose memory this one looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array), int(array.nbytes)
