"""Data-parallel training of networks on a Ray cluster. Loads ray, an optional extra.

Anyone who reaches the ports of a Ray cluster can run code on it: bind it to a private network.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from safetensors.torch import load, save

from recommender.algorithms.sequential.distributed.worker import (
    RENDEZVOUS_TIMEOUT,
    DistributedWorker,
    TrainingTask,
)
from recommender.algorithms.sequential.gradient_sync import NetworkTraining
from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.types import Histories, ProgressCallback

REPOSITORY_ROOT = Path(__file__).resolve().parents[4]
POLL_SECONDS = 0.5
# Ray itself retries an unreachable address for minutes.
_CONNECT_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class RayBackend:
    """A `DistributedBackend` on a Ray cluster.

    address: Of the cluster's head node, "host:6379".
    n_workers: Processes, spread over as many machines as have room.
    cpus_per_worker: Processors that each process reserves.
    log: Receives the reason if the cluster could not be used.
    """

    address: str
    n_workers: int = 2
    cpus_per_worker: float = 1.0
    log: ProgressCallback | None = None

    def train_epochs(
        self,
        trainer: NetworkTraining,
        network: NextItemNetwork,
        histories: Histories,
        rng: np.random.Generator,
        *,
        epochs: int,
        learning_rate: float,
    ) -> bool:
        """Trains the network on the cluster, as `DistributedBackend.train_epochs`.

        The rows are sent once to each machine and the network is sent back once; every batch exchanges gradients.
        """
        item_features = None
        if network.item_features is not None:
            # Without the row of the padding item, which the worker's network adds again.
            item_features = network.item_features.numpy()[:-1]
        task = TrainingTask(
            trainer_type=type(trainer),
            config=trainer.config,
            items=trainer.items,
            state=save(network.state_dict()),
            item_features=item_features,
            rng_state=rng.bit_generator.state,
            seed=int(torch.initial_seed()) % 2**31,
            epochs=epochs,
            learning_rate=learning_rate,
        )
        try:
            with _RayConnection(self.address):
                state = self._run_workers(trainer, task, histories)
        except (ray.exceptions.RayError, OSError, ValueError) as error:
            if self.log:
                self.log(f"the cluster failed, this machine trains alone: {type(error).__name__}", 0.0)
            return False
        network.load_state_dict(load(state))
        network.eval()
        return True

    def _run_workers(
        self,
        trainer: NetworkTraining,
        task: TrainingTask,
        histories: Histories,
    ) -> bytes:
        """Starts the workers, waits for them and returns the trained parameters."""
        resources = [{"CPU": self.cpus_per_worker}] * self.n_workers
        group = placement_group(resources, strategy="SPREAD")
        workers: list[Any] = []
        try:
            if not group.wait(RENDEZVOUS_TIMEOUT.total_seconds()):
                raise TimeoutError
            remote_worker = ray.remote(DistributedWorker).options(
                num_cpus=self.cpus_per_worker,
                scheduling_strategy=PlacementGroupSchedulingStrategy(group),
                # One thread trains, the other answers get_progress.
                max_concurrency=2,
            )
            workers = [remote_worker.remote(rank, self.n_workers) for rank in range(self.n_workers)]
            address = ray.get(workers[0].find_rendezvous_address.remote())
            history_arrays = ray.put((histories.indptr, histories.item, histories.weight))
            pending = [worker.train_network.remote(task, history_arrays, address) for worker in workers]
            return _poll_progress(trainer, workers[0], pending)
        finally:
            for worker in workers:
                ray.kill(worker)
            remove_placement_group(group)


def _poll_progress(
    trainer: NetworkTraining,
    first_worker: Any,
    pending_results: list[Any],
) -> bytes:
    """Waits for all workers and returns the first one's result.

    Reports the progress of the first worker; an exception of `trainer.on_progress` ends the run.
    """
    waiting = list(pending_results)
    while waiting:
        finished, waiting = ray.wait(
            waiting,
            num_returns=1,
            timeout=POLL_SECONDS,
        )
        # Raises the error of a failed worker: the others would wait for it until their timeout.
        ray.get(finished)
        trainer.on_progress(trainer.name, ray.get(first_worker.get_progress.remote()))
    return bytes(ray.get(pending_results[0]))


class _RayConnection:
    """Connects to the cluster for the duration of a training; an existing connection is used and kept."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._owns_connection = False

    def __enter__(self) -> None:
        if ray.is_initialized():
            return
        host, _, port = self._address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_SECONDS).close()
        ray.init(
            address=self._address,
            log_to_driver=False,
            include_dashboard=False,
            runtime_env={"env_vars": {"PYTHONPATH": str(REPOSITORY_ROOT), "OMP_NUM_THREADS": "1"}},
            namespace="lepton",
        )
        self._owns_connection = True

    def __exit__(self, *_: object) -> None:
        if self._owns_connection:
            ray.shutdown()
