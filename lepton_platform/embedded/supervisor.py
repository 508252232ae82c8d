"""Keeps services and programs running: restarts what dies, ends everything when told to."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM, Signals

from lepton_platform.embedded.errors import ServiceFailed, last_lines
from lepton_platform.embedded.processes import end, end_group, spawn
from lepton_platform.embedded.services import Report, Services

LONGEST_PAUSE_SECONDS = 30.0
STABLE_AFTER_SECONDS = 20.0
EARLY_DEATHS = 4


@dataclass(frozen=True, slots=True)
class Program:
    """One of our own long-running processes."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    patience_seconds: float = 15.0


@dataclass(slots=True)
class _Running:
    program: Program
    child: subprocess.Popen[bytes]
    started_at: float
    early_deaths: int = 0
    starts_again_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Programs are started in order and ended in reverse; the services outlive them."""

    services: Services
    cwd: Path
    report: Report
    clock: Callable[[], float] = time.monotonic
    _running: list[_Running] = field(default_factory=list)

    def start(self, program: Program) -> None:
        self._running.append(_Running(program, self._spawn(program), self.clock()))

    def tick(self) -> None:
        """Looks once after everybody. Raises ServiceFailed for what cannot be kept up."""
        for name in self.services.restart_dead():
            self.report(f"{name} had died and runs again")
        for running in self._running:
            self._look_after(running)

    def stop(self) -> None:
        """All are asked at once, then waited for, the last started first."""
        for running in reversed(self._running):
            if running.child.poll() is None:
                running.child.terminate()
        while self._running:
            running = self._running.pop()
            end(running.child, SIGTERM, patience_seconds=running.program.patience_seconds)

    def log_of(self, program: Program) -> Path:
        return self.services.home.logs / f"{program.name}.log"

    def pid(self, name: str) -> int:
        """Raises StopIteration for a name that was not started."""
        return next(one.child.pid for one in self._running if one.program.name == name)

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        return spawn(
            program.argv,
            log=self.log_of(program),
            home=self.services.home.path,
            cwd=self.cwd,
            environment=program.environment,
            on_parent_death=Signals.SIGTERM,
        )

    def _look_after(self, running: _Running) -> None:
        if running.starts_again_at is not None:
            if self.clock() >= running.starts_again_at:
                running.child, running.started_at = self._spawn(running.program), self.clock()
                running.starts_again_at = None
            return
        if running.child.poll() is None:
            return
        end_group(running.child)
        lived = self.clock() - running.started_at
        running.early_deaths = running.early_deaths + 1 if lived < STABLE_AFTER_SECONDS else 0
        if running.early_deaths > EARLY_DEATHS:
            log = self.log_of(running.program)
            raise ServiceFailed(f"{running.program.name} does not stay up; {log} ends:\n{last_lines(log)}")
        pause = pause_before_restart(running.early_deaths)
        running.starts_again_at = self.clock() + pause
        self.report(f"{running.program.name} died ({running.child.returncode}); again in {pause:.0f} s")


def pause_before_restart(early_deaths: int) -> float:
    """At once after a long life; 1, 2, 4 ... seconds when it keeps dying young."""
    return min(2.0 ** (early_deaths - 1), LONGEST_PAUSE_SECONDS) if early_deaths else 0.0
