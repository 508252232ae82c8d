"""Units of the timestamps that are stored as integers: milliseconds since 1970."""

from __future__ import annotations

DAY_MS = 86_400_000
