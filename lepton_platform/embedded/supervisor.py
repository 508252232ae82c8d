"""Keeps services and programs running: restarts what dies, ends everything when told to."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM, Signals

from lepton_platform.embedded.errors import ServiceError, read_log_tail
from lepton_platform.embedded.processes import kill_process_group, spawn_process, terminate_process
from lepton_platform.embedded.services import EmbeddedServices, StatusCallback

MAX_PAUSE_SECONDS = 30.0
STABLE_AFTER_SECONDS = 20.0
MAX_EARLY_EXITS = 4


@dataclass(frozen=True, slots=True)
class Program:
    """One of our own long-running processes."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    stop_timeout_seconds: float = 15.0


@dataclass(slots=True)
class _RunningProgram:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    early_exits: int = 0
    restart_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Programs are started in order and ended in reverse; the services outlive them."""

    services: EmbeddedServices
    cwd: Path
    report: StatusCallback
    clock: Callable[[], float] = time.monotonic
    _programs: list[_RunningProgram] = field(default_factory=list)

    def start(self, program: Program) -> None:
        self._programs.append(_RunningProgram(program, self._spawn_program(program), self.clock()))

    def check_programs(self) -> None:
        """Looks once after everybody. Raises ServiceFailed for what cannot be kept up."""
        for name in self.services.restart_dead():
            self.report(f"{name} had died and runs again")
        for running in self._programs:
            self._check_program(running)

    def stop(self) -> None:
        """All are asked at once, then waited for, the last started first."""
        for running in reversed(self._programs):
            if running.process.poll() is None:
                running.process.terminate()
        while self._programs:
            running = self._programs.pop()
            terminate_process(running.process, SIGTERM, timeout_seconds=running.program.stop_timeout_seconds)

    def get_log_file(self, program: Program) -> Path:
        return self.services.home.logs / f"{program.name}.log"

    def get_pid(self, name: str) -> int:
        """Raises StopIteration for a name that was not started."""
        return next(one.process.pid for one in self._programs if one.program.name == name)

    def _spawn_program(self, program: Program) -> subprocess.Popen[bytes]:
        return spawn_process(
            program.argv,
            log=self.get_log_file(program),
            home=self.services.home.path,
            cwd=self.cwd,
            environment=program.environment,
            parent_death_signal=Signals.SIGTERM,
        )

    def _check_program(self, running: _RunningProgram) -> None:
        if running.restart_at is not None:
            if self.clock() >= running.restart_at:
                running.process, running.started_at = self._spawn_program(running.program), self.clock()
                running.restart_at = None
            return
        if running.process.poll() is None:
            return
        kill_process_group(running.process)
        lived = self.clock() - running.started_at
        running.early_exits = running.early_exits + 1 if lived < STABLE_AFTER_SECONDS else 0
        if running.early_exits > MAX_EARLY_EXITS:
            log = self.get_log_file(running.program)
            raise ServiceError(f"{running.program.name} does not stay up; {log} ends:\n{read_log_tail(log)}")
        pause = calculate_restart_delay(running.early_exits)
        running.restart_at = self.clock() + pause
        self.report(f"{running.program.name} died ({running.process.returncode}); again in {pause:.0f} s")


def calculate_restart_delay(early_exits: int) -> float:
    """At once after a long life; 1, 2, 4 ... seconds when it keeps dying young."""
    return min(2.0 ** (early_exits - 1), MAX_PAUSE_SECONDS) if early_exits else 0.0
