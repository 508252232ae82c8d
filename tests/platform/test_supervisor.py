"""Exited programs are restarted. A program that keeps exiting raises an error. No child outlives the supervisor."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lepton_platform.embedded.errors import ServiceError
from lepton_platform.embedded.instance_directory import InstanceDirectory
from lepton_platform.embedded.services import EmbeddedServices
from lepton_platform.embedded.supervisor import MAX_EARLY_EXITS, Program, Supervisor, calculate_restart_delay

SLEEP = "import time; time.sleep(600)"
WITH_GRANDCHILD = (
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "open('grandchild', 'w').write(str(child.pid)); time.sleep(600)"
)


def make_program(code: str) -> Program:
    return Program("thing", [sys.executable, "-c", code], dict(os.environ), stop_timeout_seconds=5)


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


class SupervisorClock:
    """Time that passes only when a test sets it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> SupervisorClock:
    return SupervisorClock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: SupervisorClock):
    home = InstanceDirectory(tmp_path)
    home.create_directories()
    running = Supervisor(EmbeddedServices(home, {}), tmp_path, lambda _line: None, clock=clock)
    yield running
    running.stop()


def test_a_killed_program_is_restarted(supervisor, clock):
    supervisor.start(make_program(SLEEP))
    killed_pid = supervisor.get_pid("thing")
    clock.now = 100.0
    os.kill(killed_pid, signal.SIGKILL)
    assert wait_until(lambda: supervisor.check_programs() or supervisor.get_pid("thing") != killed_pid)


def test_a_running_program_is_not_restarted(supervisor):
    supervisor.start(make_program(SLEEP))
    before = supervisor.get_pid("thing")
    supervisor.check_programs()
    assert supervisor.get_pid("thing") == before


def test_a_program_that_keeps_exiting_raises_an_error_with_its_output(supervisor, clock):
    supervisor.start(make_program("import sys; sys.exit('no roof')"))

    def advance_clock() -> bool:
        clock.now += 3.0
        supervisor.check_programs()
        return False

    with pytest.raises(ServiceError, match="no roof"):
        wait_until(advance_clock, seconds=30)


def test_the_restart_delay_doubles_with_each_early_exit():
    assert [calculate_restart_delay(n_exits) for n_exits in range(MAX_EARLY_EXITS + 1)] == [
        0.0,
        1.0,
        2.0,
        4.0,
        8.0,
    ]


def test_children_of_a_dead_program_are_killed(supervisor, tmp_path, clock):
    supervisor.start(make_program(WITH_GRANDCHILD))
    assert wait_until(lambda: (tmp_path / "grandchild").exists() and (tmp_path / "grandchild").read_text())
    grandchild = int((tmp_path / "grandchild").read_text())
    os.kill(supervisor.get_pid("thing"), signal.SIGKILL)
    clock.now = 100.0
    assert wait_until(lambda: supervisor.check_programs() or is_gone(grandchild))


def test_stopping_kills_a_program_that_ignores_sigterm(supervisor):
    supervisor.start(
        Program(
            "deaf",
            [sys.executable, "-c", f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"],
            dict(os.environ),
            stop_timeout_seconds=0.3,
        )
    )
    pid = supervisor.get_pid("deaf")
    supervisor.stop()
    assert is_gone(pid)
