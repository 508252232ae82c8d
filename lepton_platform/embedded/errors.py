from __future__ import annotations

from pathlib import Path


class ServiceError(Exception):
    """An embedded service does not start or died; one sentence for the person at the terminal."""


def read_log_tail(log: Path, max_lines: int = 8) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-max_lines:])
