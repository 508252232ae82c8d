"""The same training loop on a cluster of two nodes: the same result, within noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.algorithms.sequential.sasrec_training import SASRecTrainer
from recommender.dataset import Dataset, leave_last_out
from recommender.tuning.model_search import evaluate_ndcg
from recommender.types import Histories, TrainingCancelled
from tests.recommender.checkerboard import QUICK_TRAINING

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed; `make test-ray` installs it")

from ray.cluster_utils import Cluster  # noqa: E402 - there only with the extra
from ray.util import placement_group_table  # noqa: E402 - the same

from recommender.algorithms.sequential.distributed import ray_backend  # noqa: E402 - the same
from recommender.algorithms.sequential.distributed.ray_backend import RayBackend  # noqa: E402 - the same

pytestmark = [pytest.mark.timeout(240), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def backend() -> Iterator[RayBackend]:
    """Two nodes with one processor each: two workers have room on both together only."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield RayBackend(cluster.address)
    finally:
        ray.shutdown()
        cluster.shutdown()


def make_sequences() -> Dataset:
    """Makes sequences whose last two items determine the next one."""
    rows = [[(user * 7 + step * (1 + user % 2)) % 50 for step in range(8)] for user in range(200)]
    return Dataset.from_sequences(rows, n_items=50)


def train(config: SASRecConfig, data: Dataset, backend: RayBackend | None) -> SASRecTrainer:
    trainer = SASRecTrainer(config, backend=backend)
    trainer.fit(data, np.random.default_rng(0))
    return trainer


def test_without_dropout_two_nodes_train_the_same_model_as_one_process(
    backend: RayBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes: list[str] = []
    poll_progress = ray_backend._poll_progress

    def record_nodes(trainer: Any, first_worker: Any, pending: list[Any]) -> bytes:
        groups = [entry for entry in placement_group_table().values() if entry["state"] == "CREATED"]
        nodes.extend(node for entry in groups for node in entry["bundles_to_node_id"].values())
        return poll_progress(trainer, first_worker, pending)

    monkeypatch.setattr(ray_backend, "_poll_progress", record_nodes)
    config = SASRecConfig(**QUICK_TRAINING | {"dropout": 0.0, "epochs": 3})
    local_model, distributed_model = (
        train(config, make_sequences(), each_backend) for each_backend in (None, backend)
    )
    histories = Histories.from_lists([[0, 1, 2], [10, 12], [5]])
    np.testing.assert_allclose(distributed_model.score(histories), local_model.score(histories), atol=0.03)
    assert len(set(nodes)) == len(nodes) == 2


def test_the_same_data_on_two_nodes_has_the_same_quality(backend: RayBackend) -> None:
    split = leave_last_out(make_sequences())
    config = SASRecConfig(**QUICK_TRAINING | {"epochs": 12})
    local_model, distributed_model = (
        train(config, split.train, each_backend) for each_backend in (None, backend)
    )
    ndcg = [evaluate_ndcg(model, split, 10, None) for model in (local_model, distributed_model)]
    assert min(ndcg) > 0.5
    assert ndcg[1] == pytest.approx(ndcg[0], abs=0.05)


def test_a_training_on_the_cluster_is_cancelled(backend: RayBackend) -> None:
    def stop(_phase: str, _fraction: float) -> None:
        raise TrainingCancelled

    trainer = SASRecTrainer(
        SASRecConfig(**QUICK_TRAINING | {"epochs": 500}), on_progress=stop, backend=backend
    )
    with pytest.raises(TrainingCancelled):
        trainer.fit(make_sequences(), np.random.default_rng(0))


def test_with_an_unreachable_cluster_this_machine_trains() -> None:
    log_texts: list[str] = []
    unreachable = RayBackend("127.0.0.1:9", log=lambda text, _fraction: log_texts.append(text))
    model = train(SASRecConfig(**QUICK_TRAINING | {"epochs": 1}), make_sequences(), unreachable)
    assert log_texts
    assert log_texts[0].startswith("the cluster failed")
    assert np.isfinite(model.score(Histories.from_lists([[0, 1]]))).all()
