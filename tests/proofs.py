"""Proofs: tests with a short form for every run and full counts for `make test-faults`.

A proof carries `@pytest.mark.proof(row=9)`, the row of the list of properties in docs/proofs.md. It takes its counts
from `scale` and says what it measured to `figure`; a full run ends with the table of all figures.
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
    """One line of the table: what was measured, over how many, and whether it is as it must be."""

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
    """`scale(short, full)` is how many this run does."""
    full = bool(request.config.getoption("--full"))
    return lambda short, whole: whole if full else short


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., bool]:
    """`assert figure("repeated nonces", 0, of=5_000_000, passes=True)` records a figure and returns `passes`."""
    marker = request.node.get_closest_marker("proof")
    assert marker is not None, "Only a test marked `proof(row=...)` states figures."
    row = int(marker.kwargs["row"])
    figures = request.config.stash.setdefault(FIGURES, [])

    def record(what: str, measured: float, *, of: int | None = None, passes: bool) -> bool:
        figures.append(Figure(row, what, measured, of, passes))
        return passes

    return record


def write_summary(reporter: Any, config: pytest.Config) -> None:
    figures = sorted(config.stash.get(FIGURES, []), key=lambda one: (one.row, one.what))
    if path := config.getoption("--figures"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n", encoding="utf-8")
    if figures and config.getoption("--full"):
        reporter.section("figures")
        for one in figures:
            of = "" if one.of is None else f" of {one.of:,}"
            verdict = "pass" if one.passed else "FAIL"
            reporter.line(f"{one.row:>3}  {verdict}  {one.measured:>12,.6g}{of:<16}  {one.what}")
