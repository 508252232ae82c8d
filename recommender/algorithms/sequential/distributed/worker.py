"""One process of a crew, on any machine that the others can reach. Loads torch: training only."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import numpy as np
from safetensors.torch import load, save
from torch import distributed

from recommender.algorithms.sequential.gradient_sync import DataParallelSync
from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.algorithms.sequential.trainer import deterministic_torch
from recommender.types import Histories

RENDEZVOUS_TIMEOUT = timedelta(minutes=5)


class DistributedWorker:
    """Learns the network of `task` with the others; `done` may be asked meanwhile, from another thread."""

    def __init__(self, rank: int, world_size: int) -> None:
        self._rank, self._world_size, self._progress = rank, world_size, 0.0

    def find_rendezvous_address(self) -> str:
        """A free address of this machine at which the others join this process."""
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        return f"tcp://{find_local_ip()}:{port}"

    def get_progress(self) -> float:
        return self._progress

    def train_network(
        self, task: dict[str, Any], history_arrays: tuple[Any, Any, Any], rendezvous_address: str
    ) -> bytes:
        """safetensors of the network; nothing from all but the first, for all end with the same."""
        distributed.init_process_group(
            "gloo",
            init_method=rendezvous_address,
            rank=self._rank,
            world_size=self._world_size,
            timeout=RENDEZVOUS_TIMEOUT,
        )
        try:
            trainer = task["trainer_type"](task["config"], on_progress=self._record_progress)
            trainer.items = task["items"]
            network = NextItemNetwork(
                trainer.config, trainer.items, trainer._build_mixer, task["item_features"]
            )
            network.load_state_dict(load(task["state"]))
            draws = np.random.default_rng()
            draws.bit_generator.state = task["rng_state"]
            team = DataParallelSync(self._rank, self._world_size)
            # Batches and negatives are the same everywhere; what is dropped out differs.
            with deterministic_torch(np.random.default_rng(task["seed"] + self._rank)):
                histories = Histories(*(np.array(part) for part in history_arrays))
                trainer.train_epochs(
                    network,
                    histories,
                    draws,
                    team,
                    epochs=task["epochs"],
                    learning_rate=task["learning_rate"],
                )
        finally:
            distributed.destroy_process_group()
        return save(network.state_dict()) if self._rank == 0 else b""

    def _record_progress(self, _phase: str, fraction: float) -> None:
        self._progress = fraction


def find_local_ip() -> str:
    """The address by which this machine reaches others; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
