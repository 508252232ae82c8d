"""Fails a test run in which any process unpickled anything that is not in ALLOWED."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.proofs import FIGURES, Figure
from tests.unpickling import sitecustomize

_HERE = Path(__file__).resolve().parent
_LOG = "UNPICKLING_LOG"


@dataclass(frozen=True, slots=True)
class AllowedCaller:
    """`caller` is a suffix of `file:function`. `names` are the objects it may look up, or empty for all."""

    caller: str
    reason: str
    names: tuple[str, ...] = ()


ALLOWED = (
    AllowedCaller(
        "/billiard/common.py:pickle_loads",
        "Celery's pool hands a task from the worker to its own child over their private pipe; the task's message "
        "itself is JSON.",
        ("celery.app.trace.fast_trace_task",),
    ),
    AllowedCaller(
        "/celery/concurrency/asynpool.py:_recv_message",
        "The worker receives a task's outcome from its own child over their private pipe; an error of any kind is sent "
        "this way.",
    ),
    AllowedCaller(
        "/billiard/reduction.py:loadbuf",
        "The same pipe, read to its end while the worker stops.",
    ),
    AllowedCaller(
        "/celery/utils/serialization.py:get_pickleable_etype",
        "The child tests whether the class of an error can be sent through that pipe.",
    ),
    AllowedCaller(
        "/celery/utils/serialization.py:get_pickleable_exception",
        "The same for the error itself.",
    ),
    AllowedCaller(
        "/_pytest/assertion/rewrite.py:_read_pyc",
        "pytest reads the test modules that it has compiled in an earlier run, as the import system reads others.",
        ("marshal.load",),
    ),
)


def install_audit_hook() -> None:
    """Installs the audit hook in this process and, through PYTHONPATH, in every process that it starts."""
    folder = tempfile.mkdtemp(prefix="lepton-unpickled-")
    inherited = os.environ.get("PYTHONPATH")
    os.environ[_LOG] = folder
    os.environ["PYTHONPATH"] = os.pathsep.join([str(_HERE), *([inherited] if inherited else [])])
    sitecustomize.install_hook()


def find_unpickling(folder: Path) -> Counter[str]:
    """Counts the log lines of callers and names that are not allowed."""
    lines = (line for log in folder.iterdir() for line in log.read_text(encoding="utf-8").splitlines())
    return Counter(line for line in lines if not _is_allowed(*line.split("\t")))


def _is_allowed(caller: str, target: str) -> bool:
    return any(
        caller.endswith(entry.caller) and (not entry.names or target in entry.names) for entry in ALLOWED
    )


def fail_on_violations(session: pytest.Session) -> None:
    """Fails the run for any unpickling that is not allowed."""
    violations = find_unpickling(Path(os.environ[_LOG]))
    session.config.stash.setdefault(FIGURES, []).append(
        Figure(19, "kinds of unpickling in this run", len(violations), None, passed=not violations)
    )
    if violations and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def write_summary(reporter: Any) -> None:
    for line in sorted(find_unpickling(Path(os.environ[_LOG]))):
        reporter.line(f"ERROR unpickled: {line}")


def delete_logs() -> None:
    shutil.rmtree(os.environ[_LOG], ignore_errors=True)
