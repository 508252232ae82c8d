"""What a web process does once when its application stands."""

from __future__ import annotations

import gc

# As many new containers before the youngest are looked through; Python's 700 is less than one request makes.
YOUNG_THRESHOLD, MIDDLE_THRESHOLD, OLD_THRESHOLD = 10_000, 20, 20


def freeze_gc() -> None:
    """Keeps the collector away from what lives as long as the process: code, settings, models, the schema.

    A request makes some thousands of containers and frees nearly all of them by counting; the few cycles that it leaves are
    no reason to walk the application."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_THRESHOLD, MIDDLE_THRESHOLD, OLD_THRESHOLD)
