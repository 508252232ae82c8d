"""Where one installation keeps its state: `$LEPTON_HOME`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class InstanceDirectory:
    """Paths below `$LEPTON_HOME`; each engine's folder belongs to the account that runs the engine."""

    path: Path

    @property
    def services_file(self) -> Path:
        """The embedded services in the names of the environment; read by `lepton_platform.env`."""
        return self.path / "services.json"

    @property
    def secrets_file(self) -> Path:
        """What only the supervisor needs: superuser and role passwords, ports."""
        return self.path / "supervisor.json"

    @property
    def run_file(self) -> Path:
        return self.path / "run.json"

    @property
    def lock_file(self) -> Path:
        return self.path / "supervisor.lock"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def binaries(self) -> Path:
        return self.path / "binaries"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def create_directories(self) -> None:
        """Other accounts may pass through the folder, and read nothing in it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.path.chmod(0o711)
        self.logs.mkdir(exist_ok=True, mode=0o700)


def write_private_file(path: Path, text: str) -> None:
    """Replaces `path` in one step with a file of mode 0600, durable before it is visible."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_private_json(path: Path, value: Any) -> None:
    write_private_file(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Empty when the file does not exist."""
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return value
