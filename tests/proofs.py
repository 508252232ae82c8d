"""Proofs: tests with a short form for every run and full counts for `make test-faults`.

A proof has the marker `@pytest.mark.proof(row=9)`, the row of the list of properties in docs/proofs.md. It takes its
counts from `scale` and records its measurements with `figure`. A full run ends with the table of all figures.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

Scale = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: the name and value of a measurement, its sample size, and whether it passed."""

    row: int
    what: str
    measured: float
    of: int | None
    passed: bool


FIGURES = pytest.StashKey[list[Figure]]()


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("proofs")
    group.addoption("--full", action="store_true", help="full counts instead of the short forms")
    group.addoption("--figures", type=Path, help="where to write the figures as JSON")


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> Scale:
    """`scale(short_count, full_count)` returns the count of this run."""
    full = bool(request.config.getoption("--full"))
    return lambda short_count, full_count: full_count if full else short_count


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., bool]:
    """`assert figure("repeated nonces", 0, of=5_000_000, passes=True)` records a figure and returns `passes`."""
    marker = request.node.get_closest_marker("proof")
    assert marker is not None, "Only a test with the marker `proof(row=...)` records figures."
    row = int(marker.kwargs["row"])
    recorded = request.config.stash.setdefault(FIGURES, [])

    def record(what: str, measured: float, *, of: int | None = None, passes: bool) -> bool:
        recorded.append(Figure(row, what, measured, of, passes))
        return passes

    return record


def write_summary(reporter: Any, config: pytest.Config) -> None:
    recorded = sorted(config.stash.get(FIGURES, []), key=lambda entry: (entry.row, entry.what))
    if path := config.getoption("--figures"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(entry) for entry in recorded], indent=1) + "\n", encoding="utf-8")
    if recorded and config.getoption("--full"):
        reporter.section("figures")
        for entry in recorded:
            total = "" if entry.of is None else f" of {entry.of:,}"
            outcome = "pass" if entry.passed else "FAIL"
            reporter.line(f"{entry.row:>3}  {outcome}  {entry.measured:>12,.6g}{total:<16}  {entry.what}")
