"""Trains GRU4Rec. Loads torch: never imported by a serving process."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.gru4rec import GRU4Rec, GRU4RecConfig
from recommender.algorithms.sequential.network import SequenceMixer, export_linear, to_numpy
from recommender.algorithms.sequential.trainer import SequentialTrainer
from recommender.types import Float32Array

# torch stacks the gates of a cell as r z n (GRU) and i f g o (LSTM), ONNX as z r h and i o f c.
ONNX_GATE_ORDER = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
ONNX_OPERATORS = {
    # linear_before_reset is torch's variant: the reset gate is applied after the recurrent product.
    "gru": "GRU<hidden_size: int = {hidden}, linear_before_reset: int = 1>",
    "lstm": "LSTM<hidden_size: int = {hidden}>",
}
# The recurrent operators read (length, rows, width) and write (length, directions, rows, hidden).
RECURRENT_ONNX = """
  steps{{i}} = Transpose<perm: ints = [1, 0, 2]>(normed{{i}})
  states{{i}} = {operator}(steps{{i}}, b{{i}}_input_weight, b{{i}}_recurrent_weight, b{{i}}_gate_bias)
  forward_states{{i}} = Squeeze(states{{i}}, b{{i}}_direction_axis)
  hidden{{i}} = Transpose<perm: ints = [1, 0, 2]>(forward_states{{i}})
  output_product{{i}} = MatMul(hidden{{i}}, b{{i}}_output)
  mixed{{i}} = Add(output_product{{i}}, b{{i}}_output_bias)"""


class RecurrentMixer(SequenceMixer):
    """A recurrent cell over the sequence; its state at each position is projected to the width of an embedding."""

    def __init__(self, config: GRU4RecConfig) -> None:
        super().__init__()
        cell_class = {"gru": nn.GRU, "lstm": nn.LSTM}[config.cell]
        self.cell_type = config.cell
        self.rnn = cell_class(
            config.dimensions,
            config.hidden_size,
            batch_first=True,
        )
        self.output_projection = nn.Linear(config.hidden_size, config.dimensions)

    def forward(self, x: Tensor) -> Tensor:
        # torch's bfloat16 kernels of the cell are slower than those of float32, and the state sums over many steps.
        with torch.autocast("cpu", enabled=False):
            hidden, _ = self.rnn(x.float())
        return torch.as_tensor(self.output_projection(hidden))

    def build_onnx_text(self) -> str:
        """Returns the ONNX text around ONNX's own GRU or LSTM operator."""
        operator = ONNX_OPERATORS[self.cell_type].format(hidden=self.rnn.hidden_size)
        return RECURRENT_ONNX.format(operator=operator)

    def build_constants(self) -> Arrays:
        """Returns the weights of the cell, with ONNX's leading axis of directions and order of gates."""
        input_bias = self._reorder_gates(to_numpy(self.rnn.bias_ih_l0))
        recurrent_bias = self._reorder_gates(to_numpy(self.rnn.bias_hh_l0))
        constants: Arrays = {
            "input_weight": self._reorder_gates(to_numpy(self.rnn.weight_ih_l0))[None],
            "recurrent_weight": self._reorder_gates(to_numpy(self.rnn.weight_hh_l0))[None],
            "gate_bias": np.concatenate([input_bias, recurrent_bias])[None],
            "direction_axis": np.array([1], np.int64),
        }
        return constants | export_linear("output", self.output_projection)

    def _reorder_gates(self, stacked: Float32Array) -> Float32Array:
        """Returns the rows of a weight or bias, stacked by gate, in ONNX's order of gates."""
        order = ONNX_GATE_ORDER[self.cell_type]
        gates = np.split(stacked, len(order))
        return np.concatenate([gates[number] for number in order])


class GRU4RecTrainer(SequentialTrainer[GRU4RecConfig]):
    """A `GRU4Rec` that can be fitted."""

    name = GRU4Rec.name
    label = GRU4Rec.label
    relative_cost = GRU4Rec.relative_cost
    config_type = GRU4RecConfig

    def _build_mixer(self, _block: int) -> SequenceMixer:
        return RecurrentMixer(self.config)
