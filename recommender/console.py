"""Console output shared by the command-line tools of this package."""

from __future__ import annotations

import time
from typing import TextIO


class ProgressPrinter:
    """Prints a line when a phase starts and at each further tenth of the work: seconds, percentage, phase.

    `print_progress` is a `recommender.types.ProgressCallback`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.perf_counter()
        self._last_step = ("", -1)

    def print_progress(self, phase: str, fraction: float) -> None:
        """Writes nothing while phase and tenth are those of the previous call."""
        step = (phase, int(fraction * 10))
        if step == self._last_step:
            return
        self._last_step = step
        elapsed = time.perf_counter() - self._started
        self._stream.write(f"{elapsed:7.1f} s  {fraction:4.0%}  {phase}\n")
        self._stream.flush()
