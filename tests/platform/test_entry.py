"""Commands that work on files work on a machine where nothing is set up, and start nothing there."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from lepton_platform.cli import needs_services
from lepton_platform.management import commands
from lepton_platform.management.offline_command import OfflineCommand

ROOT = Path(__file__).resolve().parents[2]
ALL = [module.name for module in iter_modules(commands.__path__)]
ON_FILES = [
    name for name in ALL if issubclass(import_module(f"{commands.__name__}.{name}").Command, OfflineCommand)
]


@pytest.mark.parametrize("name", ON_FILES)
def test_a_command_on_files_needs_no_services(name: str) -> None:
    assert not needs_services(name, {})


@pytest.mark.parametrize("name", ["train", "import_events", "check_isolation", "createsuperuser"])
def test_a_command_on_data_needs_them_unless_they_run_elsewhere(name: str) -> None:
    assert needs_services(name, {})


def test_a_command_on_files_leaves_nothing_behind(tmp_path: Path) -> None:
    given = {name: value for name, value in os.environ.items() if not name.startswith("LEPTON_")}
    asked = [sys.executable, "manage.py", "evaluate_language", "--data", "nowhere"]
    done = subprocess.run(
        asked,
        cwd=ROOT,
        env=given | {"LEPTON_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "CommandError: There is no folder nowhere."
    assert list(tmp_path.iterdir()) == []
