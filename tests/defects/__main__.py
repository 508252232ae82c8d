"""Mutation testing: applies each seeded defect to a copy of the project and runs the tests that must fail.

`python -m tests.defects [--only WORD] [--json OUT]`. First the unchanged copy must pass the same tests; otherwise their
failure with a defect would prove nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.defects.all_seeds import ALL_SEEDS
from tests.defects.seeds import Seed

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    *(
        "manage.py",
        "pyproject.toml",
        "Makefile",
        ".ci",
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "LICENSE",
    ),
    *("lepton_platform", "recommender", "tenants", "templates", "tests", "deploy", "docs"),
)
PASSED, FAILED = 0, 1
WORKERS = 2
# Without such a line no test ran (e.g. an import failed), so the failure proves nothing.
_TEST_FAILURE = re.compile(r"^(FAILED|ERROR) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SeedResult:
    """`is_killed`: the tests failed with the defect. `output` is pytest's."""

    seed: Seed
    is_killed: bool
    seconds: float
    output: str


def copy_project(folder: Path) -> Path:
    """Copies what the tests need into `folder` and returns it."""
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("node_modules", "__pycache__", "*.pyc")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        elif source.exists():
            shutil.copy(source, folder / name)
    return folder


def run_tests(folder: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Exit status and output of pytest; stops at the first failure."""
    completed = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=1200,
    )
    return completed.returncode, completed.stdout


def try_seed(seed: Seed, folder: Path) -> SeedResult:
    """Runs the seed's tests with the defect in the copy, and restores the copy."""
    started_at = time.monotonic()
    path = folder / seed.path
    original = path.read_text(encoding="utf-8")
    if original.count(seed.right) != 1:
        return SeedResult(seed, False, 0.0, "the file does not contain the text to change exactly once")
    try:
        path.write_text(original.replace(seed.right, seed.wrong), encoding="utf-8")
        status, output = run_tests(folder, seed.caught_by.split())
    finally:
        path.write_text(original, encoding="utf-8")
    is_killed = status == FAILED and bool(_TEST_FAILURE.search(output))
    return SeedResult(seed, is_killed, time.monotonic() - started_at, output)


def try_all_seeds(seeds: list[Seed], report: Callable[[SeedResult], None]) -> list[SeedResult]:
    """Tests the seeds in WORKERS threads, each with a copy of the project; results in the order of the seeds."""
    with tempfile.TemporaryDirectory(prefix="lepton-defects-") as folder, ThreadPoolExecutor(WORKERS) as pool:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(WORKERS):
            copies.put(copy_project(Path(folder) / str(number)))

        def try_in_free_copy(seed: Seed) -> SeedResult:
            copy = copies.get()
            try:
                result = try_seed(seed, copy)
            finally:
                copies.put(copy)
            report(result)
            return result

        return list(pool.map(try_in_free_copy, seeds))


def passes_unchanged(seeds: list[Seed]) -> bool:
    """Whether the unchanged project passes the tests of all seeds."""
    tests = sorted({name for seed in seeds for name in seed.caught_by.split()})
    print(f"The unchanged project against {len(tests)} test files ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="lepton-defects-") as folder:
        status, output = run_tests(copy_project(Path(folder) / "unchanged"), tests)
    if status != PASSED:
        print(output[-6000:])
    return status == PASSED


def print_result(result: SeedResult) -> None:
    """One line, and the end of pytest's output for a defect that no test noticed."""
    seed = result.seed
    state = "killed" if result.is_killed else "SURVIVED"
    print(f"{state:8} {result.seconds:5.0f} s  {seed.name}  ({seed.path}; {seed.caught_by})", flush=True)
    if not result.is_killed:
        print(result.output[-2000:], flush=True)


def main() -> int:
    """Exit status: 0 when every defect is killed, 1 when one survives, 2 when nothing could be tested."""
    parser = argparse.ArgumentParser(prog="python -m tests.defects", description=__doc__)
    parser.add_argument("--only", default="", help="seeds whose name, file or tests contain this")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seeds = [seed for seed in ALL_SEEDS if options.only in f"{seed.name} {seed.path} {seed.caught_by}"]
    if not seeds:
        print("no seed chosen")
        return 2
    if not passes_unchanged(seeds):
        print("The unchanged project fails; no seed was tried.")
        return 2
    results = try_all_seeds(seeds, print_result)
    n_killed = sum(result.is_killed for result in results)
    if options.json:
        rows = []
        for result in results:
            row = {
                "defect": result.seed.name,
                "killed": result.is_killed,
                "seconds": round(result.seconds, 1),
            }
            rows.append(row)
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"{n_killed}/{len(results)} killed")
    return 0 if n_killed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
