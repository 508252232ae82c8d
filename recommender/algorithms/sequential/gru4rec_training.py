"""Trains the recurrent network. Loads torch: never imported by a serving process."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.gru4rec import GRU4Rec, GRU4RecConfig
from recommender.algorithms.sequential.network import SequenceMixer, export_linear, to_numpy
from recommender.algorithms.sequential.trainer import SequentialTrainer
from recommender.types import Float32Array

# ONNX keeps the gates of a cell in another order than torch: z r h and i o f c for its r z n and i f g o.
ONNX_GATE_ORDER = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
ONNX_OPERATORS = {
    "gru": "GRU<hidden_size: int = {hidden}, linear_before_reset: int = 1>",
    "lstm": "LSTM<hidden_size: int = {hidden}>",
}
RECURRENT_ONNX = """
  steps{{i}} = Transpose<perm: ints = [1, 0, 2]>(normed{{i}})
  states{{i}} = {operator}(steps{{i}}, b{{i}}_incoming, b{{i}}_recurrent, b{{i}}_gates)
  one_way{{i}} = Squeeze(states{{i}}, b{{i}}_direction)
  remembered{{i}} = Transpose<perm: ints = [1, 0, 2]>(one_way{{i}})
  told{{i}} = MatMul(remembered{{i}}, b{{i}}_told)
  mixed{{i}} = Add(told{{i}}, b{{i}}_told_bias)"""


class RecurrentMixer(SequenceMixer):
    """A cell that walks along the history; what it remembers at each place, turned back to an item's size."""

    def __init__(self, config: GRU4RecConfig) -> None:
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[config.cell]
        self.cell_type = config.cell
        self.rnn = kind(config.dimensions, config.hidden_size, batch_first=True)
        self.output_projection = nn.Linear(config.hidden_size, config.dimensions)

    def build_onnx_text(self) -> str:
        return RECURRENT_ONNX.format(
            operator=ONNX_OPERATORS[self.cell_type].format(hidden=self.rnn.hidden_size)
        )

    def forward(self, x: Tensor) -> Tensor:
        # The cell's kernels for bfloat16 are slower than those for float32, and its state is summed over many steps.
        with torch.autocast("cpu", enabled=False):
            remembered, _ = self.rnn(x.float())
        return torch.as_tensor(self.output_projection(remembered))

    def build_constants(self) -> Arrays:
        walk = self.rnn
        biases = [self._reorder_gates(to_numpy(bias)) for bias in (walk.bias_ih_l0, walk.bias_hh_l0)]
        constants: Arrays = {
            "incoming": self._reorder_gates(to_numpy(walk.weight_ih_l0))[None],
            "recurrent": self._reorder_gates(to_numpy(walk.weight_hh_l0))[None],
            "gates": np.concatenate(biases)[None],
            "direction": np.array([1], np.int64),
        }
        return constants | export_linear("told", self.output_projection)

    def _reorder_gates(self, stacked: Float32Array) -> Float32Array:
        """The same rows with the gates in the order of ONNX."""
        order = ONNX_GATE_ORDER[self.cell_type]
        parts = np.split(stacked, len(order))
        return np.concatenate([parts[gate] for gate in order])


class GRU4RecTrainer(SequentialTrainer[GRU4RecConfig]):
    name = GRU4Rec.name
    config_type = GRU4RecConfig

    def _build_mixer(self, _block: int) -> SequenceMixer:
        return RecurrentMixer(self.config)
