"""One training process of a distributed run, on any machine that the others can reach.

Imports torch, so only training processes may import this module.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from safetensors.torch import load, save
from torch import distributed

from recommender.algorithms.sequential.gradient_sync import DataParallelSync
from recommender.algorithms.sequential.network import NextItemNetwork
from recommender.algorithms.sequential.optimization import deterministic_torch
from recommender.types import Float32Array, Histories

RENDEZVOUS_TIMEOUT = timedelta(minutes=5)
# An address of the block reserved for documentation (RFC 5737); connecting a UDP socket sends no packet.
_UNROUTED_ADDRESS = ("192.0.2.1", 9)


@dataclass(frozen=True)
class TrainingTask:
    """What every process of a distributed run receives.

    trainer_type, config: Of the model.
    items: Number of items.
    state: The network's parameters as safetensors.
    item_features: float32 (items, features), or None.
    rng_state: State of the generator of batches and negatives, the same in all processes.
    seed: Seed of dropout; each process adds its rank.
    epochs, learning_rate: Of the training loop.
    """

    trainer_type: type[Any]
    config: Any
    items: int
    state: bytes
    item_features: Float32Array | None
    rng_state: Any
    seed: int
    epochs: int
    learning_rate: float


class DistributedWorker:
    """Trains the network of a task together with the other workers.

    `get_progress` may be called from another thread meanwhile.
    """

    def __init__(
        self,
        rank: int,
        world_size: int,
    ) -> None:
        self._rank = rank
        self._world_size = world_size
        self._progress = 0.0

    def find_rendezvous_address(self) -> str:
        """Returns a free address of this machine at which the other workers join this one."""
        with socket.socket() as probe:
            # Port 0 makes the system choose a free one, which is released again when the socket is closed.
            probe.bind(("", 0))
            port = probe.getsockname()[1]
        return f"tcp://{find_local_ip()}:{port}"

    def get_progress(self) -> float:
        """Returns the fraction of epochs done."""
        return self._progress

    def train_network(
        self,
        task: TrainingTask,
        history_arrays: tuple[Any, Any, Any],
        rendezvous_address: str,
    ) -> bytes:
        """Joins the other workers and trains.

        Args:
            task: The network and the parameters of the training loop.
            history_arrays: indptr, item and weight of the training rows.
            rendezvous_address: From `find_rendezvous_address` of the worker of rank 0.

        Returns:
            The trained parameters as safetensors from rank 0, nothing from the others: all end with the same.
        """
        distributed.init_process_group(
            "gloo",
            init_method=rendezvous_address,
            rank=self._rank,
            world_size=self._world_size,
            timeout=RENDEZVOUS_TIMEOUT,
        )
        try:
            network = self._train_joined(task, history_arrays)
        finally:
            distributed.destroy_process_group()
        return save(network.state_dict()) if self._rank == 0 else b""

    def _train_joined(
        self,
        task: TrainingTask,
        history_arrays: tuple[Any, Any, Any],
    ) -> NextItemNetwork:
        trainer = task.trainer_type(task.config, on_progress=self._record_progress)
        trainer.items = task.items
        network = NextItemNetwork(
            trainer.config,
            trainer.items,
            trainer._build_mixer,
            task.item_features,
        )
        network.load_state_dict(load(task.state))
        rng = np.random.default_rng()
        rng.bit_generator.state = task.rng_state
        # Copies: arrays from Ray's object store are read-only.
        indptr, item, weight = (np.array(array) for array in history_arrays)
        # Batches and negatives are the same in all processes; dropout differs by rank.
        with deterministic_torch(np.random.default_rng(task.seed + self._rank)):
            trainer.train_epochs(
                network,
                Histories(indptr, item, weight),
                rng,
                DataParallelSync(self._rank, self._world_size),
                epochs=task.epochs,
                learning_rate=task.learning_rate,
            )
        return network

    def _record_progress(
        self,
        _phase: str,
        fraction: float,
    ) -> None:
        self._progress = fraction


def find_local_ip() -> str:
    """Returns the address by which this machine reaches others; the loopback address without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_UNROUTED_ADDRESS)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
