"""From scores to a short list: what may be shown, best first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recommender.serving.columns import Bools, Columns
from recommender.serving.filters import Filter
from recommender.types import Floats

Slots = NDArray[np.int32]


def best_first(columns: Columns, scores: Floats, *, allowed: Bools, block: int) -> Iterator[Slots]:
    """Allowed slots by falling score, equal scores by newer item, in growing blocks."""
    open_scores = np.where(allowed, scores, np.float32(-np.inf))
    left = int(np.isfinite(open_scores).sum())
    taken = 0
    while taken < left:
        wanted = min(taken + block, left)
        top = _top(open_scores, wanted, columns)
        yield top[taken:wanted]
        taken, block = wanted, block * 4


def allowed_slots(columns: Columns, wanted: Filter | None, shut: Slots) -> Bools:
    """A fresh mask: live, available unless the filter asks otherwise, matching, and not in `shut`."""
    allowed = columns.mask(wanted)
    allowed[shut] = False
    return allowed


def _top(scores: Floats, count: int, columns: Columns) -> Slots:
    everything = count >= scores.size
    chosen = np.arange(scores.size) if everything else np.argpartition(scores, -count)[-count:]
    order = np.lexsort((-columns.item_no[chosen], -scores[chosen]))
    return chosen[order].astype(np.int32)
