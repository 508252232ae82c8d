"""How much memory a model holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse


def held_bytes(model: object) -> int:
    """Of the arrays and files that the model refers to, each buffer once. Python's own objects are not counted."""
    buffers = {id(one): one for one in _buffers(model, set())}
    return sum(len(one) if isinstance(one, bytes) else int(one.nbytes) for one in buffers.values())


def _buffers(found: Any, met: set[int]) -> Iterator[Any]:
    if id(found) in met:
        return
    met.add(id(found))
    if isinstance(found, np.ndarray):
        yield _owner(found)
    elif isinstance(found, bytes):
        yield found
    elif sparse.issparse(found):
        yield from (_owner(part) for part in (found.data, found.indices, found.indptr))
    elif isinstance(found, Mapping):
        for part in found.values():
            if not isinstance(part, int | float | str):
                yield from _buffers(part, met)
    elif hasattr(found, "__dict__") and type(found).__module__.startswith("recommender."):
        yield from _buffers(vars(found), met)


def _owner(array: np.ndarray[Any, Any]) -> Any:
    """The array whose memory this one looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
