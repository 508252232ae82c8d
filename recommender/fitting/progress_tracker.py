"""Progress of a fit as one fraction."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.types import ProgressCallback


@dataclass
class ProgressTracker:
    """Converts the progress of single phases into one fraction of the whole work, which never decreases.

    `total`, `done` and `effort` are in units of `training_profiles.RELATIVE_COST`: effort of all phases, of the completed
    phases and of the current phase.
    """

    report: ProgressCallback
    total: float = 1.0
    done: float = 0.0
    phase: str = "start"
    effort: float = 0.0

    def start_phase(self, phase: str, effort: float) -> None:
        """Completes the current phase and starts the next one."""
        self.done += self.effort
        self.phase, self.effort = phase, effort
        self.report_step(phase, 0.0)

    def report_step(self, _step: str, fraction: float) -> None:
        """A ProgressCallback for the current phase; `fraction` is that of the phase."""
        self.report(self.phase, min((self.done + self.effort * fraction) / self.total, 1.0))
