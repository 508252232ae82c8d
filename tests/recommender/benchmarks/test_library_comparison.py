"""What other libraries are measured with is what our own members are measured with."""

from __future__ import annotations

import importlib.util
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.benchmarks import library_comparison
from recommender.dataset import Dataset, leave_last_out
from recommender.types import InsufficientDataError


@pytest.fixture(scope="module")
def rings() -> Dataset:
    """200 profiles walk a ring of 20 items, so that what comes next is certain."""
    return Dataset.from_sequences([[(start + step) % 20 for step in range(6)] for start in range(200)])


def test_a_model_of_order_wins_where_order_is_all_there_is(rings: Dataset) -> None:
    split = leave_last_out(rings)
    config = SASRecConfig(dimensions=16, epochs=10, negatives=16, batch_size=32, learning_rate=5e-3)
    ours = library_comparison.evaluate_lepton_sasrec(split, config, k=3, seed=0)
    others = [
        library_comparison.evaluate_implicit_als(split, k=3, seed=0, factors=8),
        library_comparison.evaluate_implicit_bpr(split, k=3, seed=0, factors=8),
    ]
    assert ours.ndcg > 0.95
    assert ours.ndcg > max(other.ndcg for other in others) > 0
    assert all(standing.seconds > 0 for standing in (ours, *others))


def test_a_library_that_is_not_there_is_named(rings: Dataset) -> None:
    if importlib.util.find_spec("rectools"):
        standing = next(
            library_comparison.evaluate_rectools_sasrec(leave_last_out(rings), k=3, seed=0, max_seconds=0.1)
        )
        assert 0 <= standing.ndcg <= standing.recall <= 1
        return
    with pytest.raises(InsufficientDataError, match="env-peers"):
        next(library_comparison.evaluate_rectools_sasrec(leave_last_out(rings), k=3, seed=0, max_seconds=0.1))


@pytest.mark.skipif(
    importlib.util.find_spec("rectools") is not None, reason="there the command runs to its end"
)
def test_the_command_keeps_what_was_measured_before_a_library_was_missing(
    rings: Dataset, tmp_path: Path
) -> None:
    lines = [
        f"{user} " + " ".join(map(str, rings.histories.slice_row(user))) for user in range(rings.n_users)
    ]
    (tmp_path / "rings.txt").write_text("\n".join(lines))
    told, out = tmp_path / "told.json", StringIO()
    with pytest.raises(CommandError, match="make env-peers"):
        call_command("evaluate_peers", data=tmp_path / "rings.txt", epochs=1, json=told, stdout=out)
    measured = json.loads(told.read_text())
    assert [one["model"] for one in measured] == ["implicit ALS", "implicit BPR", "transformer"]
    assert all(f"{one['ndcg']:.4f}" in out.getvalue() for one in measured)
