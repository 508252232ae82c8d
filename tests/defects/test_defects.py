"""Each guard is seen failing: a copy of the project with one seeded defect must not pass its tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.defects.api_seeds import API_SEEDS
from tests.defects.control_seeds import CONTROL_SEEDS
from tests.defects.recommender_seeds import RECOMMENDER_SEEDS
from tests.defects.seeds import SEEDS, Seed

pytestmark = [pytest.mark.defects, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "manage.py",
    "pyproject.toml",
    "lepton_platform",
    "recommender",
    "tenants",
    "templates",
    "tests",
    "deploy",
)
FAILED = 1


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
            )
        else:
            shutil.copy(source, folder / name)
    return folder


def outcome(folder: Path, tests: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", tests],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )
    return done.returncode


@pytest.mark.parametrize(
    "seed", [*SEEDS, *API_SEEDS, *CONTROL_SEEDS, *RECOMMENDER_SEEDS], ids=lambda seed: seed.name
)
def test_a_seeded_defect_is_caught(copy: Path, seed: Seed) -> None:
    path = copy / seed.path
    sound = path.read_text(encoding="utf-8")
    assert sound.count(seed.right) == 1
    try:
        path.write_text(sound.replace(seed.right, seed.wrong), encoding="utf-8")
        assert outcome(copy, seed.caught_by) == FAILED
    finally:
        path.write_text(sound, encoding="utf-8")
