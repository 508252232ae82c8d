"""Garbage collector settings of a web worker."""

from __future__ import annotations

import gc

# Container allocations before a collection of the youngest generation: Python's default of 700 is less than one
# request allocates.
YOUNG_THRESHOLD, MIDDLE_THRESHOLD, OLD_THRESHOLD = 10_000, 20, 20


def freeze_gc() -> None:
    """Tunes the garbage collector for a web worker. Call once, after the application is loaded.

    Freezes all objects created so far (code, settings, models, schema), so that collections skip them. Raises the
    thresholds, because a request allocates thousands of containers and reference counting frees nearly all of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_THRESHOLD, MIDDLE_THRESHOLD, OLD_THRESHOLD)
