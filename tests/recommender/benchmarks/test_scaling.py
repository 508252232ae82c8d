"""The cost curve: measured costs and exponents of growth."""

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


def test_the_synthetic_data_set_has_the_requested_events_and_items() -> None:
    data = scaling.generate_synthetic_dataset(5_000, 700)
    assert (data.n_events, data.n_items) == (5_000, 700)
    is_later = np.diff(data.timestamp) >= 0
    is_same_user = np.diff(np.repeat(np.arange(data.n_users), np.diff(data.indptr))) == 0
    assert is_later[is_same_user].all()
    assert np.bincount(data.item, minlength=700).max() > 3 * 5_000 / 700


def test_a_model_is_measured_in_a_separate_process() -> None:
    code = [sys.executable, "-m", "recommender.benchmarks", "scaling", "transitions", "3000", "300"]
    completed = subprocess.run(code, capture_output=True, text=True, check=True)
    row = json.loads(completed.stdout)
    assert (row["events"], row["items"]) == (3_000, 300)
    assert row["seconds"] > 0
    assert row["peak_mib"] >= row["base_mib"] > 50
    assert 0 < row["file_bytes"] < 2**20


def test_the_command_quotes_each_size_and_the_exponents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    requested_runs: list[list[str]] = []

    def run_fake(argv: list[str], **_: Any) -> Any:
        requested_runs.append(argv[4:7])
        row = {"events": int(argv[5]), "items": int(argv[6]), "seconds": int(argv[5]) / 1e4, "peak_mib": 100,
               "file_bytes": 5, "score_one_ms": 0.1}  # fmt: skip
        return subprocess.CompletedProcess(argv, 0, json.dumps(row), "")

    monkeypatch.setattr(bench_cost.subprocess, "run", run_fake)
    out = tmp_path / "cost.json"
    call_command(
        "bench", "cost", "--models=ease", "--event-multiples=1,2", "--items=100,300", "--events=900", json=out
    )
    assert requested_runs == [["ease", "900", "100"], ["ease", "1800", "100"], ["ease", "2700", "300"]]
    metrics = json.loads(out.read_text())
    assert metrics["ease.seconds_exponent"] == 1.0
    assert metrics["ease.memory_exponent"] == 0.0
    assert metrics["ease.2700.300.seconds"] == 0.27


def test_an_unknown_model_is_refused_in_one_sentence() -> None:
    with pytest.raises(CommandError, match="There is no model 'oracle'"):
        call_command("bench", "cost", "--models=oracle", "--event-multiples=1", "--items=50", "--events=100")


@pytest.mark.parametrize("items", [10, 12_000, 200_000, 10_000_000])
def test_memory_of_an_evaluation_does_not_grow_with_the_catalogue(items: int) -> None:
    batch_size = choose_batch_size(items)
    assert 16 <= batch_size <= 1024
    assert batch_size == 16 or batch_size * items <= MAX_SCORE_CELLS
