"""Trains the recurrent network. Loads torch: never imported by a serving process."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from recommender.algorithms.base import Arrays
from recommender.algorithms.recurrent import RecurrentConfig, RecurrentScorer
from recommender.algorithms.sequence_network import Mixer, array, linear
from recommender.algorithms.sequence_training import NextItemTrainer
from recommender.types import Floats

# ONNX keeps the gates of a cell in another order than torch: z r h and i o f c for its r z n and i f g o.
GATES = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
OPERATOR = {
    "gru": "GRU<hidden_size: int = {hidden}, linear_before_reset: int = 1>",
    "lstm": "LSTM<hidden_size: int = {hidden}>",
}
GRAPH = """
  steps{{i}} = Transpose<perm: ints = [1, 0, 2]>(normed{{i}})
  states{{i}} = {operator}(steps{{i}}, b{{i}}_incoming, b{{i}}_recurrent, b{{i}}_gates)
  one_way{{i}} = Squeeze(states{{i}}, b{{i}}_direction)
  remembered{{i}} = Transpose<perm: ints = [1, 0, 2]>(one_way{{i}})
  told{{i}} = MatMul(remembered{{i}}, b{{i}}_told)
  mixed{{i}} = Add(told{{i}}, b{{i}}_told_bias)"""


class Recurrence(Mixer):
    """A cell that walks along the history; what it remembers at each place, turned back to an item's size."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[config.cell]
        self.cell = config.cell
        self.walk = kind(config.dimensions, config.hidden, batch_first=True)
        self.told = nn.Linear(config.hidden, config.dimensions)

    def graph(self) -> str:
        return GRAPH.format(operator=OPERATOR[self.cell].format(hidden=self.walk.hidden_size))

    def forward(self, x: Tensor) -> Tensor:
        # The cell's kernels for bfloat16 are slower than those for float32, and its state is summed over many steps.
        with torch.autocast("cpu", enabled=False):
            remembered, _ = self.walk(x.float())
        return torch.as_tensor(self.told(remembered))

    def constants(self) -> Arrays:
        walk = self.walk
        biases = [self._gates(array(bias)) for bias in (walk.bias_ih_l0, walk.bias_hh_l0)]
        constants: Arrays = {
            "incoming": self._gates(array(walk.weight_ih_l0))[None],
            "recurrent": self._gates(array(walk.weight_hh_l0))[None],
            "gates": np.concatenate(biases)[None],
            "direction": np.array([1], np.int64),
        }
        return constants | linear("told", self.told)

    def _gates(self, stacked: Floats) -> Floats:
        """The same rows with the gates in the order of ONNX."""
        order = GATES[self.cell]
        parts = np.split(stacked, len(order))
        return np.concatenate([parts[gate] for gate in order])


class RecurrentTrainer(NextItemTrainer[RecurrentConfig]):
    name = RecurrentScorer.name
    config_type = RecurrentConfig

    def _mixer(self, _block: int) -> Mixer:
        return Recurrence(self.config)
