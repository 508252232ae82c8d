"""The time budget of a search."""

from __future__ import annotations

import time


class DeadlineExceeded(Exception):
    """Raised within a trial when the time budget of the search is spent."""


class Deadline:
    """Measures the seconds of a search, including those of interrupted runs, and ends trials that exceed the budget."""

    def __init__(self, budget_seconds: float, *, spent_seconds: float = 0.0) -> None:
        self.budget_seconds = budget_seconds
        self._started = time.perf_counter() - spent_seconds
        self._is_enforced = False

    @property
    def spent_seconds(self) -> float:
        """Seconds since the start of the search."""
        return time.perf_counter() - self._started

    @property
    def remaining_seconds(self) -> float:
        """Seconds until the budget is spent; negative afterwards."""
        return self.budget_seconds - self.spent_seconds

    @property
    def spent_fraction(self) -> float:
        """Fraction of the budget that is spent, at most 1."""
        return min(self.spent_seconds / self.budget_seconds, 1.0)

    def __enter__(self) -> None:
        """Within this context, `check` raises when the budget is spent."""
        self._is_enforced = True

    def __exit__(self, *_exception: object) -> None:
        self._is_enforced = False

    def check(self) -> None:
        """Raises DeadlineExceeded within the context of this deadline when the budget is spent."""
        if self._is_enforced and self.remaining_seconds < 0:
            raise DeadlineExceeded
