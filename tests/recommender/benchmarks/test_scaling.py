"""The cost curve: what it measures and what it says of growth."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from lepton_platform.bench import cost as bench_cost
from recommender.benchmarks import scaling
from recommender.evaluation.evaluator import MAX_SCORE_CELLS, choose_batch_size


def test_the_slope_of_a_square_is_two() -> None:
    sizes = [1_000, 2_000, 4_000, 8_000]
    assert scaling.fit_power_law_exponent(sizes, [size**2 for size in sizes]) == pytest.approx(2)
    assert 1 < scaling.fit_n_log_n_exponent(sizes) < 1.2


def test_the_made_up_shop_has_the_events_and_items_asked_for() -> None:
    data = scaling.generate_synthetic_dataset(5_000, 700)
    assert (data.n_events, data.n_items) == (5_000, 700)
    later = np.diff(data.timestamp) >= 0
    same = np.diff(np.repeat(np.arange(data.n_users), np.diff(data.indptr))) == 0
    assert later[same].all()
    assert np.bincount(data.item, minlength=700).max() > 3 * 5_000 / 700


def test_one_member_is_measured_in_a_process_of_its_own() -> None:
    code = [sys.executable, "-m", "recommender.benchmarks", "scaling", "transitions", "3000", "300"]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    row = json.loads(done.stdout)
    assert (row["events"], row["items"]) == (3_000, 300)
    assert row["seconds"] > 0
    assert row["peak_mib"] >= row["base_mib"] > 50
    assert 0 < row["file_bytes"] < 2**20


def test_the_command_quotes_each_size_and_the_exponents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    asked: list[list[str]] = []

    def measured(argv: list[str], **_: Any) -> Any:
        asked.append(argv[4:7])
        row = {"events": int(argv[5]), "items": int(argv[6]), "seconds": int(argv[5]) / 1e4, "peak_mib": 100,
               "file_bytes": 5, "score_one_ms": 0.1}  # fmt: skip
        return subprocess.CompletedProcess(argv, 0, json.dumps(row), "")

    monkeypatch.setattr(bench_cost.subprocess, "run", measured)
    out = tmp_path / "cost.json"
    call_command(
        "bench", "cost", "--models=ease", "--event-multiples=1,2", "--items=100,300", "--events=900", json=out
    )
    assert asked == [["ease", "900", "100"], ["ease", "1800", "100"], ["ease", "2700", "300"]]
    figures = json.loads(out.read_text())
    assert figures["ease.seconds_exponent"] == 1.0
    assert figures["ease.memory_exponent"] == 0.0
    assert figures["ease.2700.300.seconds"] == 0.27


def test_a_member_that_does_not_exist_is_one_sentence() -> None:
    with pytest.raises(CommandError, match="There is no model 'oracle'"):
        call_command("bench", "cost", "--models=oracle", "--event-multiples=1", "--items=50", "--events=100")


@pytest.mark.parametrize("items", [10, 12_000, 200_000, 10_000_000])
def test_memory_of_measuring_does_not_grow_with_the_catalogue(items: int) -> None:
    rows = choose_batch_size(items)
    assert 16 <= rows <= 1024
    assert rows == 16 or rows * items <= MAX_SCORE_CELLS
