"""Keeps services and programs running: restarts those that exit and ends all of them on `stop`."""

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
    """The command line and environment of a long-running process of the platform."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    stop_timeout_seconds: float = 15.0


@dataclass(slots=True)
class _RunningProgram:
    """`early_exits` counts exits in a row before STABLE_AFTER_SECONDS; `restart_at` is set while it waits to restart."""

    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    early_exits: int = 0
    restart_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Starts programs in order and stops them in reverse order; does not stop the services."""

    services: EmbeddedServices
    cwd: Path
    report: StatusCallback
    # Replaced in tests.
    clock: Callable[[], float] = time.monotonic
    _programs: list[_RunningProgram] = field(default_factory=list)

    def start(self, program: Program) -> None:
        """Starts a program and supervises it from now on."""
        running = _RunningProgram(program, self._spawn_program(program), self.clock())
        self._programs.append(running)

    def check_programs(self) -> None:
        """Restarts services and programs that exited. Call a few times a second.

        Raises:
            ServiceError: a program exited more than MAX_EARLY_EXITS times in a row soon after its start, or a
                service does not start.
        """
        for name in self.services.restart_dead():
            self.report(f"{name} had died and runs again")
        for running in self._programs:
            self._check_program(running)

    def stop(self) -> None:
        """Ends all programs. Every one gets SIGTERM first, so that they shut down at the same time."""
        for running in reversed(self._programs):
            if running.process.poll() is None:
                running.process.terminate()
        while self._programs:
            running = self._programs.pop()
            terminate_process(running.process, SIGTERM, timeout_seconds=running.program.stop_timeout_seconds)

    def get_log_file(self, program: Program) -> Path:
        """The file that receives the program's output."""
        return self.services.home.logs / f"{program.name}.log"

    def get_pid(self, name: str) -> int:
        """Process id of a started program. Raises StopIteration for another name."""
        return next(running.process.pid for running in self._programs if running.program.name == name)

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
        # The program's own workers may have survived it and would keep its port.
        kill_process_group(running.process)
        lifetime = self.clock() - running.started_at
        if lifetime < STABLE_AFTER_SECONDS:
            running.early_exits += 1
        else:
            running.early_exits = 0
        if running.early_exits > MAX_EARLY_EXITS:
            log = self.get_log_file(running.program)
            raise ServiceError(f"{running.program.name} does not stay up; {log} ends:\n{read_log_tail(log)}")
        pause = calculate_restart_delay(running.early_exits)
        running.restart_at = self.clock() + pause
        self.report(f"{running.program.name} died ({running.process.returncode}); again in {pause:.0f} s")


def calculate_restart_delay(early_exits: int) -> float:
    """Seconds before a restart: 0 after a stable run, then 1, 2, 4, ... up to MAX_PAUSE_SECONDS."""
    if early_exits == 0:
        return 0.0
    return min(2.0 ** (early_exits - 1), MAX_PAUSE_SECONDS)
