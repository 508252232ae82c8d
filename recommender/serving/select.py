"""From scores to a short list: what may be shown, best first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recommender.serving.catalogue.filters import ItemFilter
from recommender.serving.catalogue.index import BoolArray, CatalogueIndex
from recommender.types import Float32Array

SlotArray = NDArray[np.int32]


def iter_best_first(
    catalogue: CatalogueIndex, scores: Float32Array, *, allowed: BoolArray, block_size: int
) -> Iterator[SlotArray]:
    """Allowed slots by falling score, equal scores by newer item, in growing blocks."""
    open_scores = np.where(allowed, scores, np.float32(-np.inf))
    left = int(np.isfinite(open_scores).sum())
    taken = 0
    while taken < left:
        wanted = min(taken + block_size, left)
        top = _select_top(open_scores, wanted, catalogue)
        yield top[taken:wanted]
        taken, block_size = wanted, block_size * 4


def mask_allowed_slots(
    catalogue: CatalogueIndex, item_filter: ItemFilter | None, excluded_slots: SlotArray
) -> BoolArray:
    """A fresh mask: live, available unless the filter asks otherwise, matching, and not in `shut`."""
    allowed = catalogue.build_mask(item_filter)
    allowed[excluded_slots] = False
    return allowed


def _select_top(scores: Float32Array, count: int, catalogue: CatalogueIndex) -> SlotArray:
    everything = count >= scores.size
    chosen = np.arange(scores.size) if everything else np.argpartition(scores, -count)[-count:]
    order = np.lexsort((-catalogue.item_numbers[chosen], -scores[chosen]))
    return chosen[order].astype(np.int32)
