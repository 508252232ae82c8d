from __future__ import annotations

from pathlib import Path

import pytest

from tests.quality.budgets import overruns, python_files

ROOT = Path(__file__).resolve().parents[2]
FILES = python_files(*(ROOT / name for name in ("lepton_platform", "recommender", "tenants", "tests")))


def test_there_are_files_to_measure() -> None:
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_keeps_to_the_budgets(path: Path) -> None:
    assert list(overruns(path)) == []


def seeded(folder: Path, text: str, name: str = "seeded.py") -> list[str]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return list(overruns(path))


def test_a_long_function_is_found(tmp_path: Path) -> None:
    body = "    x = 1\n" * 60
    assert ["has 61 lines" in one for one in seeded(tmp_path, f"def long():\n{body}")] == [True]


def test_a_long_file_is_found(tmp_path: Path) -> None:
    assert ["has 301 lines" in one for one in seeded(tmp_path, "x = 1\n" * 301)] == [True]


def test_a_file_of_odds_and_ends_is_found(tmp_path: Path) -> None:
    assert ["says nothing" in one for one in seeded(tmp_path, "", "utils.py")] == [True]
