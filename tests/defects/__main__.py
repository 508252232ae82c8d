"""Applies each seeded defect in a copy of the project and runs the tests meant for it: they must fail.

`python -m tests.defects [--only WORD] [--json OUT]`. First the sound copy must pass the same tests, or a kill means nothing.
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
    *("common", "lepton_platform", "recommender", "tenants", "templates", "tests", "deploy", "docs"),
)
PASSED, FAILED = 0, 1
WORKERS = 2
# A run that fails without one of these died before it looked: that proves nothing.
_LOOKED = re.compile(r"^(FAILED|ERROR) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    seed: Seed
    killed: bool
    seconds: float
    said: str


def copy_of_project(folder: Path) -> Path:
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
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=1200,
    )
    return done.returncode, done.stdout


def apply(seed: Seed, folder: Path) -> Outcome:
    """Leaves the copy as it was."""
    started = time.monotonic()
    path = folder / seed.path
    sound = path.read_text(encoding="utf-8")
    if sound.count(seed.right) != 1:
        return Outcome(seed, False, 0.0, "the text to change does not stand there exactly once")
    try:
        path.write_text(sound.replace(seed.right, seed.wrong), encoding="utf-8")
        code, said = run_tests(folder, seed.caught_by.split())
    finally:
        path.write_text(sound, encoding="utf-8")
    killed = code == FAILED and bool(_LOOKED.search(said))
    return Outcome(seed, killed, time.monotonic() - started, said)


def run_all(seeds: list[Seed], report: Callable[[Outcome], None]) -> list[Outcome]:
    with tempfile.TemporaryDirectory(prefix="lepton-defects-") as place, ThreadPoolExecutor(WORKERS) as pool:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(WORKERS):
            copies.put(copy_of_project(Path(place) / str(number)))

        def one(seed: Seed) -> Outcome:
            folder = copies.get()
            try:
                outcome = apply(seed, folder)
            finally:
                copies.put(folder)
            report(outcome)
            return outcome

        return list(pool.map(one, seeds))


def sound_copy_passes(seeds: list[Seed]) -> bool:
    tests = sorted({name for seed in seeds for name in seed.caught_by.split()})
    print(f"The sound project against {len(tests)} test files ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="lepton-defects-") as place:
        code, said = run_tests(copy_of_project(Path(place) / "sound"), tests)
    if code != PASSED:
        print(said[-6000:])
    return code == PASSED


def report(outcome: Outcome) -> None:
    seed = outcome.seed
    word = "killed" if outcome.killed else "SURVIVED"
    print(f"{word:8} {outcome.seconds:5.0f} s  {seed.name}  ({seed.path}; {seed.caught_by})", flush=True)
    if not outcome.killed:
        print(outcome.said[-2000:], flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.defects", description=__doc__)
    parser.add_argument("--only", default="", help="seeds whose name, file or tests contain this")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    seeds = [one for one in ALL_SEEDS if given.only in f"{one.name} {one.path} {one.caught_by}"]
    if not seeds or not sound_copy_passes(seeds):
        print("no seed chosen" if not seeds else "The sound project fails; no seed was tried.")
        return 2
    outcomes = run_all(seeds, report)
    killed = sum(one.killed for one in outcomes)
    if given.json:
        rows = [
            {"defect": one.seed.name, "killed": one.killed, "seconds": round(one.seconds, 1)}
            for one in outcomes
        ]
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"{killed}/{len(outcomes)} killed")
    return 0 if killed == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
