"""`refresh`: a warm-started refresh against a full training on hidden events."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from recommender.benchmarks.__main__ import run_benchmark
from recommender.types import DataError


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    path = tmp_path / "walks.txt"
    lines = []
    for user in range(90):
        items = [f"i{(7 * user + step) % 30}" for step in range(7)]
        lines.append(" ".join([f"u{user}", *items]))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def run_refresh(data: Path, *options: str) -> str:
    out = io.StringIO()
    arguments = ["refresh", "--data", str(data), "--protocol", "leave-last-out", *options]
    run_benchmark(arguments, out=out, progress=io.StringIO())
    return out.getvalue()


def test_a_refresh_is_compared_with_a_full_training(walks: Path, tmp_path: Path) -> None:
    json_path = tmp_path / "metrics.json"
    table = run_refresh(walks, "--json", str(json_path))
    metrics = json.loads(json_path.read_text())
    assert (metrics["cases"], metrics["new_events"]) == (90, 90)
    assert metrics["ndcg@10"]["refreshed"] > 0.9 * metrics["ndcg@10"]["full"] > 0.5
    assert metrics["seconds"]["refreshed"] < metrics["seconds"]["full"]
    assert [line.split()[0] for line in table.splitlines()] == ["live", "full", "refreshed", "refreshed"]


def test_too_few_events_are_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text("u1 a b\n", encoding="utf-8")
    with pytest.raises(DataError, match="too few events to hide some of them twice"):
        run_refresh(path)
