"""Trains NextItNet. Loads torch: never imported by a serving process."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.algorithms.base import Arrays
from recommender.algorithms.sequential.network import SequenceMixer, export_linear, to_numpy
from recommender.algorithms.sequential.nextitnet import NextItNet, NextItNetConfig
from recommender.algorithms.sequential.trainer import SequentialTrainer

GATE_ONNX = """
  input_product{i} = MatMul(normed{i}, b{i}_input)
  value_and_gate{i} = Add(input_product{i}, b{i}_input_bias)
  value{i}, gate{i} = Split<axis: int = -1, num_outputs: int = 2>(value_and_gate{i})
  padded{i} = Pad(value{i}, b{i}_padding)"""
# Formatted with the number of the tap first, with that of the block later.
TAP_ONNX = """
  end{tap}_{{i}} = Add(b{{i}}_offset{tap}, length)
  shifted{tap}_{{i}} = Slice(padded{{i}}, b{{i}}_offset{tap}, end{tap}_{{i}}, b{{i}}_time_axis)
  tap{tap}_{{i}} = Mul(shifted{tap}_{{i}}, b{{i}}_kernel{tap})"""
OUTPUT_ONNX = """
  convolved{{i}} = Sum({taps})
  open{{i}} = Sigmoid(gate{{i}})
  gated{{i}} = Mul(convolved{{i}}, open{{i}})
  output_product{{i}} = MatMul(gated{{i}}, b{{i}}_output)
  mixed{{i}} = Add(output_product{{i}}, b{{i}}_output_bias)"""


class GatedDilatedConvolution(SequenceMixer):
    """A gated depthwise-separable convolution of each position with `kernel_size` - 1 earlier ones, `dilation` apart.

    Each channel has its own kernel, and channels are mixed by a projection that all taps share: a full convolution
    would learn the projection again for every tap, from too few events. Gate: Dauphin et al., ICML 2017.
    """

    def __init__(
        self,
        config: NextItNetConfig,
        dilation: int,
    ) -> None:
        super().__init__()
        size = config.dimensions
        n_taps = config.kernel_size
        # Start of each tap in the padded sequence; the last tap reads the position itself.
        self.tap_offsets = [tap * dilation for tap in range(n_taps)]
        self.input_projection = nn.Linear(size, 2 * size)
        # Around the mean of the taps, so that an untrained block is a moving average.
        self.kernel = nn.Parameter(torch.randn(n_taps, size) / n_taps + 1 / n_taps)
        self.output_projection = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.input_projection(x).chunk(2, dim=-1)
        # Zeros before the first position: (last dimension: none), (time: the reach of the kernel before, none after).
        padded = functional.pad(value, (0, 0, self.tap_offsets[-1], 0))
        convolved = torch.zeros_like(value)
        for offset, tap in zip(
            self.tap_offsets,
            self.kernel.to(value.dtype),
            strict=True,
        ):
            convolved = convolved + padded[:, offset : offset + x.shape[1]] * tap
        return torch.as_tensor(self.output_projection(convolved * torch.sigmoid(gate)))

    def build_onnx_text(self) -> str:
        """Returns the ONNX text, with one shifted product per tap."""
        n_taps = len(self.tap_offsets)
        tap_texts = "".join(TAP_ONNX.format(tap=tap) for tap in range(n_taps))
        tap_names = ", ".join(f"tap{tap}_{{i}}" for tap in range(n_taps))
        return GATE_ONNX + tap_texts + OUTPUT_ONNX.format(taps=tap_names)

    def build_constants(self) -> Arrays:
        """Returns the weights, the offset and kernel of each tap, and the padding."""
        constants: Arrays = {
            # ONNX lists the padding before each of the three axes, then after each.
            "padding": np.array([0, self.tap_offsets[-1], 0, 0, 0, 0], np.int64),
            "time_axis": np.array([1], np.int64),
        }
        for number, offset in enumerate(self.tap_offsets):
            constants[f"offset{number}"] = np.array([offset], np.int64)
            constants[f"kernel{number}"] = to_numpy(self.kernel[number])
        constants |= export_linear("input", self.input_projection)
        constants |= export_linear("output", self.output_projection)
        return constants


class NextItNetTrainer(SequentialTrainer[NextItNetConfig]):
    """A `NextItNet` that can be fitted."""

    name = NextItNet.name
    label = NextItNet.label
    relative_cost = NextItNet.relative_cost
    config_type = NextItNetConfig

    def _build_mixer(self, block: int) -> SequenceMixer:
        return GatedDilatedConvolution(self.config, dilation=2**block)
