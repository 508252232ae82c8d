"""The same training loop on a cluster of two nodes: the same result, within noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.algorithms.sequential.trainer import SASRecTrainer
from recommender.dataset import Dataset, leave_last_out
from recommender.tuning.model_search import evaluate_ndcg
from recommender.types import Histories, TrainingCancelled
from tests.recommender.checkerboard import QUICK

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed; `make test-ray` installs it")

from ray.cluster_utils import Cluster  # noqa: E402 - there only with the extra
from ray.util import placement_group_table  # noqa: E402 - the same

from recommender.algorithms.sequential.distributed import ray_backend  # noqa: E402 - the same
from recommender.algorithms.sequential.distributed.ray_backend import RayBackend  # noqa: E402 - the same

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def crew() -> Iterator[RayBackend]:
    """Two nodes with one processor each: two workers have room on both together only."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield RayBackend(cluster.address)
    finally:
        ray.shutdown()
        cluster.shutdown()


def walks() -> Dataset:
    """The next item is known to whoever reads the last two."""
    rows = [[(user * 7 + step * (1 + user % 2)) % 50 for step in range(8)] for user in range(200)]
    return Dataset.from_sequences(rows, n_items=50)


def learned(config: SASRecConfig, data: Dataset, crew: RayBackend | None) -> SASRecTrainer:
    trainer = SASRecTrainer(config, backend=crew)
    trainer.fit(data, np.random.default_rng(0))
    return trainer


def test_without_chance_two_nodes_learn_what_one_process_learns(
    crew: RayBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes: list[str] = []
    watched = ray_backend._poll_progress

    def noted(trainer: Any, first: Any, running: list[Any]) -> bytes:
        groups = [one for one in placement_group_table().values() if one["state"] == "CREATED"]
        nodes.extend(node for one in groups for node in one["bundles_to_node_id"].values())
        return watched(trainer, first, running)

    monkeypatch.setattr(ray_backend, "_poll_progress", noted)
    config = SASRecConfig(**QUICK | {"dropout": 0.0, "epochs": 3})
    alone, together = (learned(config, walks(), one) for one in (None, crew))
    histories = Histories.from_lists([[0, 1, 2], [10, 12], [5]])
    np.testing.assert_allclose(together.score(histories), alone.score(histories), atol=0.03)
    assert len(set(nodes)) == len(nodes) == 2


def test_the_same_data_on_two_nodes_has_the_same_quality(crew: RayBackend) -> None:
    split = leave_last_out(walks())
    config = SASRecConfig(**QUICK | {"epochs": 12})
    alone, together = (learned(config, split.train, one) for one in (None, crew))
    figures = [evaluate_ndcg(model, split, 10, None) for model in (alone, together)]
    assert min(figures) > 0.5
    assert figures[1] == pytest.approx(figures[0], abs=0.05)


def test_a_training_on_the_cluster_is_cancelled(crew: RayBackend) -> None:
    def stop(_phase: str, _fraction: float) -> None:
        raise TrainingCancelled

    trainer = SASRecTrainer(SASRecConfig(**QUICK | {"epochs": 500}), on_progress=stop, backend=crew)
    with pytest.raises(TrainingCancelled):
        trainer.fit(walks(), np.random.default_rng(0))


def test_a_cluster_that_is_away_leaves_the_work_to_this_machine() -> None:
    said: list[str] = []
    away = RayBackend("127.0.0.1:9", log=lambda text, _fraction: said.append(text))
    model = learned(SASRecConfig(**QUICK | {"epochs": 1}), walks(), away)
    assert said
    assert said[0].startswith("the cluster failed")
    assert np.isfinite(model.score(Histories.from_lists([[0, 1]]))).all()
