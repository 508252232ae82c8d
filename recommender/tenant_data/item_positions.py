"""Maps catalogue item numbers to positions in a model or data set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.types import Int32Array


class ItemPositions:
    """Positions of item numbers in a list of them; one table look-up for each number.

    Memory is four bytes for each number up to the largest.
    """

    def __init__(self, item_numbers: NDArray[np.integer]) -> None:
        self._table = np.full(int(item_numbers.max(initial=0)) + 1, -1, dtype=np.int32)
        self._table[item_numbers] = np.arange(item_numbers.size, dtype=np.int32)

    def find(self, numbers: NDArray[np.integer]) -> Int32Array:
        """int32, the shape of `numbers`: the position of each number in the list, -1 for none."""
        wide_numbers = numbers.astype(np.int64)
        # Numbers beyond the table are clamped to be valid indices, then overwritten.
        positions = self._table[np.minimum(wide_numbers, self._table.size - 1)]
        positions[wide_numbers >= self._table.size] = -1
        return positions
