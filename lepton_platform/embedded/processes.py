"""Starts, ends and finds the processes of one installation."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from lepton_platform.embedded.service_account import ServiceAccount

# Environment variable of every child process; marks it as belonging to the installation of this path.
SUPERVISED_HOME_VARIABLE = "LEPTON_SUPERVISED_HOME"
ENGINES = frozenset({"postgres", "valkey-server"})
MAX_LOG_BYTES = 50 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn_process(  # noqa: PLR0913 - the arguments of a process; all but one keyword-only
    argv: Sequence[str],
    *,
    log: Path,
    home: Path,
    cwd: Path,
    environment: Mapping[str, str],
    account: ServiceAccount | None = None,
    stdin: bytes | None = None,
    parent_death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Starts a child process in its own session, so that Ctrl-C reaches the supervisor only.

    On Linux the kernel sends `parent_death_signal` to the child when the thread that started it ends.

    Args:
        argv: the command line.
        log: file to which output is appended; renamed to `.log.old` when it exceeds MAX_LOG_BYTES.
        home: the installation, stored in the child's environment for `terminate_orphans`.
        cwd: working directory.
        environment: the child's whole environment, apart from the mark.
        account: the account to run as; None for the present one.
        stdin: bytes to write to standard input, which is then closed; None for /dev/null.
        parent_death_signal: see above.
    """

    def set_parent_death_signal() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, parent_death_signal)

    # Rotated only here: a running program keeps its file open.
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))
    identity: dict[str, Any] = {}
    if account:
        identity = account.build_popen_arguments()
    stdin_source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(argv),
            stdin=stdin_source,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**environment, SUPERVISED_HOME_VARIABLE: str(home)},
            start_new_session=True,
            preexec_fn=set_parent_death_signal,  # noqa: PLW1509 - one prctl call; must follow the change of user
            **identity,
        )
    if child.stdin is not None and stdin is not None:
        # A child that exits at once closes the pipe; the caller sees its exit status.
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(stdin)
        child.stdin.close()
    return child


def terminate_process(
    child: subprocess.Popen[bytes], stop_signal: signal.Signals, *, timeout_seconds: float
) -> None:
    """Sends `stop_signal`, waits up to the timeout, then kills the child's process group."""
    if child.poll() is None:
        child.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout_seconds)
    kill_process_group(child)
    child.wait()


def kill_process_group(child: subprocess.Popen[bytes]) -> None:
    """Kills all processes of the child's session, e.g. the workers that a dead server left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def terminate_orphans(home: Path) -> int:
    """Ends marked processes that a killed supervisor of `home` left running; returns their number."""
    return _terminate_all(process for process in psutil.process_iter() if _is_supervised(process, str(home)))


def terminate_engines(directories: Iterable[Path]) -> int:
    """Ends PostgreSQL and Valkey processes whose working directory is one of the folders; returns their number.

    They are not found by the mark, because they overwrite their environment with the process title.
    """
    resolved = {str(folder.resolve()) for folder in directories}
    return _terminate_all(
        process for process in psutil.process_iter() if _is_engine_process(process, resolved)
    )


def _terminate_all(candidates: Iterable[psutil.Process]) -> int:
    # A list, because the candidates are iterated several times.
    processes = list(candidates)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            _request_termination(process)
    for survivor in _wait_for_exit(5.0, processes):
        with contextlib.suppress(psutil.Error):
            survivor.kill()
    _wait_for_exit(5.0, processes)
    return len(processes)


def _request_termination(process: psutil.Process) -> None:
    """SIGTERM, or for PostgreSQL's main process SIGINT (fast shutdown).

    PostgreSQL's child processes (titled `postgres: ...`) get no signal: they exit with the main process, and SIGINT
    would cancel their query instead.
    """
    if process.name() != "postgres":
        process.terminate()
    elif not process.cmdline()[0].startswith("postgres: "):
        process.send_signal(signal.SIGINT)


def _wait_for_exit(timeout_seconds: float, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Waits for the processes to end and returns those alive at the deadline. Zombies count as ended."""
    deadline = time.monotonic() + timeout_seconds
    alive = list(processes)
    while alive and time.monotonic() < deadline:
        alive = [process for process in alive if _is_alive(process)]
        time.sleep(0.02)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _is_engine_process(process: psutil.Process, directories: set[str]) -> bool:
    try:
        return _is_alive(process) and process.name() in ENGINES and process.cwd() in directories
    except (psutil.Error, OSError):
        return False


def _is_supervised(process: psutil.Process, home: str) -> bool:
    try:
        return (
            process.pid != os.getpid()
            and _is_alive(process)
            and process.environ().get(SUPERVISED_HOME_VARIABLE) == home
        )
    except (psutil.Error, OSError, ValueError):
        return False
