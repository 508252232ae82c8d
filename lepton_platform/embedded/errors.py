"""The error of the embedded services, and the log lines that explain it."""

from __future__ import annotations

from pathlib import Path


class ServiceError(Exception):
    """A service or program does not start or does not stay up; the message is one sentence for the terminal."""


def read_log_tail(log: Path, max_lines: int = 8) -> str:
    """The last lines of a log file; empty when it does not exist."""
    if not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-max_lines:])
