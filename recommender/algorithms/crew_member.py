"""One process of a crew, on any machine that the others can reach. Loads torch: training only."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import numpy as np
from safetensors.torch import load, save
from torch import distributed

from recommender.algorithms.crew_training import Peers
from recommender.algorithms.sequence_network import Network
from recommender.algorithms.sequence_training import reproducible
from recommender.types import Histories

PATIENCE = timedelta(minutes=5)


class CrewMember:
    """Learns the network of `task` with the others; `done` may be asked meanwhile, from another thread."""

    def __init__(self, rank: int, size: int) -> None:
        self._rank, self._size, self._done = rank, size, 0.0

    def meeting_point(self) -> str:
        """A free address of this machine at which the others join this process."""
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        return f"tcp://{own_address()}:{port}"

    def done(self) -> float:
        return self._done

    def learn(self, task: dict[str, Any], rows: tuple[Any, Any, Any], meeting: str) -> bytes:
        """safetensors of the network; nothing from all but the first, for all end with the same."""
        distributed.init_process_group(
            "gloo", init_method=meeting, rank=self._rank, world_size=self._size, timeout=PATIENCE
        )
        try:
            trainer = task["kind"](task["config"], report=self._heard)
            trainer.items = task["items"]
            network = Network(trainer.config, trainer.items, trainer._mixer, task["facts"])
            network.load_state_dict(load(task["state"]))
            draws = np.random.default_rng()
            draws.bit_generator.state = task["draws"]
            team = Peers(self._rank, self._size)
            # Batches and negatives are the same everywhere; what is dropped out differs.
            with reproducible(np.random.default_rng(task["seed"] + self._rank)):
                histories = Histories(*(np.array(part) for part in rows))
                trainer.rounds(network, histories, draws, team, epochs=task["epochs"], rate=task["rate"])
        finally:
            distributed.destroy_process_group()
        return save(network.state_dict()) if self._rank == 0 else b""

    def _heard(self, _phase: str, fraction: float) -> None:
        self._done = fraction


def own_address() -> str:
    """The address by which this machine reaches others; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
