"""Commands without data work on a machine without an installation and start no services there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_platform.cli import needs_services

ROOT = Path(__file__).resolve().parents[2]
FILE_COMMANDS = (
    ("recommender.language", "evaluate", "--data", "nowhere"),
    ("recommender.benchmarks", "evaluate", "--data", "nowhere.txt"),
    ("lepton_platform.demo.convert", "nowhere", "out"),
)


@pytest.mark.parametrize("name", ["spectacular", "makemessages", "help"])
def test_a_command_without_data_needs_no_services(name: str) -> None:
    assert not needs_services(name, {})


@pytest.mark.parametrize("name", ["train", "import_events", "check_isolation", "createsuperuser"])
def test_a_command_on_data_needs_services_unless_they_are_external(name: str) -> None:
    assert needs_services(name, {})
    assert not needs_services(name, {"DATABASE_URL_CONTROL": "postgresql://app@db.internal/control"})


@pytest.mark.parametrize("arguments", FILE_COMMANDS, ids=lambda arguments: arguments[0])
def test_a_command_on_files_writes_nothing_to_the_home_directory(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEPTON_")}
    completed = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment | {"LEPTON_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert completed.returncode == 1
    assert "nowhere" in completed.stderr
    assert list(tmp_path.iterdir()) == []
