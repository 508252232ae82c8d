"""Starting, ending and finding the processes of one installation."""

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

from lepton_platform.embedded.account import Account

MARK = "LEPTON_SUPERVISED_HOME"
ENGINES = frozenset({"postgres", "valkey-server"})
LARGEST_LOG_BYTES = 50 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(  # noqa: PLR0913 - the arguments of a process; all but one keyword-only
    argv: Sequence[str],
    *,
    log: Path,
    home: Path,
    cwd: Path,
    environment: Mapping[str, str],
    account: Account | None = None,
    stdin: bytes | None = None,
    on_parent_death: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """A child in its own session: Ctrl-C reaches the supervisor alone. It ends when its parent is killed."""

    def die_with_parent() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, on_parent_death)

    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))
    identity: dict[str, Any] = account.identity() if account else {}
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**environment, MARK: str(home)},
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one prctl call; must follow the change of user
            **identity,
        )
    if child.stdin is not None and stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(stdin)
        child.stdin.close()
    return child


def end(child: subprocess.Popen[bytes], how: signal.Signals, *, patience_seconds: float) -> None:
    """Asks, waits, then kills the child's whole group."""
    if child.poll() is None:
        child.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_seconds)
    end_group(child)
    child.wait()


def end_group(child: subprocess.Popen[bytes]) -> None:
    """What a dead child leaves behind in its session, e.g. a server's own workers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def end_orphans(home: Path) -> int:
    """Ends what a killed supervisor of `home` left running, found by its mark; returns how many."""
    return _end_all(process for process in psutil.process_iter() if _is_marked(process, str(home)))


def end_engines(folders: Iterable[Path]) -> int:
    """Ends engines that work in one of the folders; they overwrite their environment, so no mark is left."""
    resolved = {str(folder.resolve()) for folder in folders}
    return _end_all(process for process in psutil.process_iter() if _works_in(process, resolved))


def _end_all(found: Iterable[psutil.Process]) -> int:
    processes = list(found)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            _ask(process)
    for survivor in _alive_after(5.0, processes):
        with contextlib.suppress(psutil.Error):
            survivor.kill()
    _alive_after(5.0, processes)
    return len(processes)


def _ask(process: psutil.Process) -> None:
    """PostgreSQL's own children leave by themselves when their parent is gone, and mistake SIGINT for an order."""
    if process.name() != "postgres":
        process.terminate()
    elif not process.cmdline()[0].startswith("postgres: "):
        process.send_signal(signal.SIGINT)


def _alive_after(seconds: float, processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Waits for them to end. A zombie counts as ended: its own parent, not we, must collect it."""
    deadline = time.monotonic() + seconds
    alive = list(processes)
    while alive and time.monotonic() < deadline:
        alive = [process for process in alive if _runs(process)]
        time.sleep(0.02)
    return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _works_in(process: psutil.Process, folders: set[str]) -> bool:
    try:
        return _runs(process) and process.name() in ENGINES and process.cwd() in folders
    except (psutil.Error, OSError):
        return False


def _is_marked(process: psutil.Process, home: str) -> bool:
    try:
        return process.pid != os.getpid() and _runs(process) and process.environ().get(MARK) == home
    except (psutil.Error, OSError, ValueError):
        return False
