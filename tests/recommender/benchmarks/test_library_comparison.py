"""`compare-libraries`: all libraries are evaluated on the same split with the same metrics."""

from __future__ import annotations

import importlib.util
import json
from io import StringIO
from pathlib import Path

import pytest

from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.benchmarks import library_comparison
from recommender.benchmarks.__main__ import run_benchmark
from recommender.dataset import Dataset, leave_last_out
from recommender.types import InsufficientDataError


@pytest.fixture(scope="module")
def rings() -> Dataset:
    """200 profiles visit a ring of 20 items in order, so that the next item is certain."""
    return Dataset.from_sequences([[(start + step) % 20 for step in range(6)] for start in range(200)])


def test_a_sequential_model_wins_on_purely_sequential_data(rings: Dataset) -> None:
    split = leave_last_out(rings)
    config = SASRecConfig(dimensions=16, epochs=10, negatives=16, batch_size=32, learning_rate=5e-3)
    lepton = library_comparison.evaluate_lepton_sasrec(split, config, k=3, seed=0)
    library_results = [
        library_comparison.evaluate_implicit_als(split, k=3, seed=0, factors=8),
        library_comparison.evaluate_implicit_bpr(split, k=3, seed=0, factors=8),
    ]
    assert lepton.ndcg > 0.95
    assert lepton.ndcg > max(other.ndcg for other in library_results) > 0
    assert all(result.seconds > 0 for result in (lepton, *library_results))


def test_a_missing_library_is_named(rings: Dataset) -> None:
    if importlib.util.find_spec("rectools"):
        result = next(
            library_comparison.evaluate_rectools_sasrec(leave_last_out(rings), k=3, seed=0, max_seconds=0.1)
        )
        assert 0 <= result.ndcg <= result.recall <= 1
        return
    with pytest.raises(InsufficientDataError, match="env-peers"):
        next(library_comparison.evaluate_rectools_sasrec(leave_last_out(rings), k=3, seed=0, max_seconds=0.1))


@pytest.mark.skipif(
    importlib.util.find_spec("rectools") is not None, reason="there the command runs to its end"
)
def test_results_are_written_even_when_a_library_is_missing(rings: Dataset, tmp_path: Path) -> None:
    lines = [
        f"{user} " + " ".join(map(str, rings.histories.slice_row(user))) for user in range(rings.n_users)
    ]
    (tmp_path / "rings.txt").write_text("\n".join(lines))
    json_path, out = tmp_path / "results.json", StringIO()
    arguments = ["--data", str(tmp_path / "rings.txt"), "--epochs", "1", "--json", str(json_path)]
    with pytest.raises(InsufficientDataError, match="make env-peers"):
        run_benchmark(["compare-libraries", *arguments], out=out, progress=StringIO())
    results = json.loads(json_path.read_text())
    assert [result["model"] for result in results] == ["implicit ALS", "implicit BPR", "transformer"]
    assert all(f"{result['ndcg']:.4f}" in out.getvalue() for result in results)
