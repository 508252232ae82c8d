"""Networks learned by several machines of a Ray cluster, with the same loop as on one. Loads ray, an optional extra.

Whoever reaches a Ray cluster's ports can run code on it: bind it to a private network."""

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

from recommender.algorithms.sequential.distributed.worker import RENDEZVOUS_TIMEOUT, DistributedWorker
from recommender.algorithms.sequential.gradient_sync import NetworkTraining
from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.types import Histories, ProgressCallback

REPOSITORY_ROOT = Path(__file__).resolve().parents[4]
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class RayBackend:
    """`workers` processes, on as many machines as the cluster has room for, `cpus` of each reserved.

    address: of the cluster's head, "host:6379". `log` hears why the cluster could not be used."""

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
        """As Crew.rounds. The rows travel once to each machine, the network back once, gradients with every batch."""
        task = {
            "trainer_type": type(trainer),
            "config": trainer.config,
            "items": trainer.items,
            "state": save(network.state_dict()),
            "item_features": None if network.item_features is None else network.item_features.numpy()[:-1],
            "rng_state": rng.bit_generator.state,
            "seed": int(torch.initial_seed()) % 2**31,
            "epochs": epochs,
            "learning_rate": learning_rate,
        }
        try:
            with _RayConnection(self.address):
                learned = self._run_workers(trainer, task, histories)
        except (ray.exceptions.RayError, OSError, ValueError) as error:
            if self.log:
                self.log(f"the cluster failed, this machine trains alone: {type(error).__name__}", 0.0)
            return False
        network.load_state_dict(load(learned))
        network.eval()
        return True

    def _run_workers(self, trainer: NetworkTraining, task: dict[str, Any], rows: Histories) -> bytes:
        group = placement_group([{"CPU": self.cpus_per_worker}] * self.n_workers, strategy="SPREAD")
        crew: list[Any] = []
        try:
            if not group.wait(RENDEZVOUS_TIMEOUT.total_seconds()):
                raise TimeoutError
            place = PlacementGroupSchedulingStrategy(group)
            # Two threads: one learns, the other says how far it is.
            made = ray.remote(DistributedWorker).options(
                num_cpus=self.cpus_per_worker, scheduling_strategy=place, max_concurrency=2
            )
            crew = [made.remote(rank, self.n_workers) for rank in range(self.n_workers)]
            meeting = ray.get(crew[0].find_rendezvous_address.remote())
            rows_there = ray.put((rows.indptr, rows.item, rows.weight))
            running = [worker.train_network.remote(task, rows_there, meeting) for worker in crew]
            return _poll_progress(trainer, crew[0], running)
        finally:
            for worker in crew:
                ray.kill(worker)
            remove_placement_group(group)


def _poll_progress(trainer: NetworkTraining, first_worker: Any, pending_results: list[Any]) -> bytes:
    """What the first process learned; the trainer's report hears how far it is, and may stop everything."""
    waiting = list(pending_results)
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1, timeout=POLL_SECONDS)
        # An error of one ends all: the others would wait for it for ever.
        ray.get(done)
        trainer.on_progress(trainer.name, ray.get(first_worker.get_progress.remote()))
    return bytes(ray.get(pending_results[0]))


class _RayConnection:
    """The cluster, for as long as a training lasts; a connection that was there before stays."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._owns_connection = False

    def __enter__(self) -> None:
        if not ray.is_initialized():
            # Ray itself would try for minutes.
            host, _, port = self._address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=10).close()
            environment = {"env_vars": {"PYTHONPATH": str(REPOSITORY_ROOT), "OMP_NUM_THREADS": "1"}}
            ray.init(
                address=self._address,
                log_to_driver=False,
                include_dashboard=False,
                runtime_env=environment,
                namespace="lepton",
            )
            self._owns_connection = True

    def __exit__(self, *_: object) -> None:
        if self._owns_connection:
            ray.shutdown()
