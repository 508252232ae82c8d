"""The directory of one installation, `$LEPTON_HOME`, and its private files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenants.common.atomic_files import PRIVATE_MODE, write_atomically


@dataclass(frozen=True, slots=True)
class InstanceDirectory:
    """Paths below `$LEPTON_HOME`; each engine's folder is owned by the account that runs the engine."""

    path: Path

    @property
    def services_file(self) -> Path:
        """Settings of the running embedded services, keyed like environment variables; read by `lepton_platform.env`."""
        return self.path / "services.json"

    @property
    def secrets_file(self) -> Path:
        """Passwords, keys and ports, for the supervisor only."""
        return self.path / "supervisor.json"

    @property
    def run_file(self) -> Path:
        """Base URL, demo account and API keys, for the user of the machine."""
        return self.path / "run.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the process that owns the services."""
        return self.path / "supervisor.lock"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's folder."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's folder."""
        return self.path / "valkey"

    @property
    def binaries(self) -> Path:
        """Copies of engine binaries, for accounts that can't reach the installed packages."""
        return self.path / "binaries"

    @property
    def logs(self) -> Path:
        """One log file for each service and program."""
        return self.path / "logs"

    def create_directories(self) -> None:
        """Creates the folders. Mode 0711 lets the engines' accounts pass through to their own folders, but not list."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
        # mkdir applies the umask and leaves an existing folder as it is.
        self.path.chmod(0o711)
        self.logs.mkdir(exist_ok=True, mode=0o700)


def write_private_json(path: Path, value: Any) -> None:
    """Replaces `path` atomically by `value` as indented JSON, readable by the owner only."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, text.encode(), mode=PRIVATE_MODE)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one when the file does not exist."""
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return value
