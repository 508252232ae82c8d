"""Trains the convolutional network. Loads torch: never imported by a serving process."""

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
  both_raw{i} = MatMul(normed{i}, b{i}_both)
  both{i} = Add(both_raw{i}, b{i}_both_bias)
  value{i}, gate{i} = Split<axis: int = -1, num_outputs: int = 2>(both{i})
  before{i} = Pad(value{i}, b{i}_before)"""
TAP_ONNX = """
  to{tap}_{{i}} = Add(b{{i}}_start{tap}, length)
  seen{tap}_{{i}} = Slice(before{{i}}, b{{i}}_start{tap}, to{tap}_{{i}}, b{{i}}_along)
  part{tap}_{{i}} = Mul(seen{tap}_{{i}}, b{{i}}_tap{tap})"""
OUTPUT_ONNX = """
  sum{{i}} = Sum({parts})
  open{{i}} = Sigmoid(gate{{i}})
  passed{{i}} = Mul(sum{{i}}, open{{i}})
  told{{i}} = MatMul(passed{{i}}, b{{i}}_told)
  mixed{{i}} = Add(told{{i}}, b{{i}}_told_bias)"""


class GatedDilatedConvolution(SequenceMixer):
    """A gated separable convolution of each place with `taps` - 1 before it, `gap` apart.

    Each number of a vector has its own taps, and what is said of an item is the same at every tap: a full
    convolution learns that again for each, from too few events. Gate: Dauphin et al., ICML 2017."""

    def __init__(self, config: NextItNetConfig, dilation: int) -> None:
        super().__init__()
        size, taps = config.dimensions, config.kernel_size
        self.tap_offsets = [tap * dilation for tap in range(taps)]
        self.input_projection = nn.Linear(size, 2 * size)
        self.kernel = nn.Parameter(torch.randn(taps, size) / taps + 1 / taps)
        self.output_projection = nn.Linear(size, size)

    def build_onnx_text(self) -> str:
        taps = range(len(self.tap_offsets))
        parts = ", ".join(f"part{tap}_{{i}}" for tap in taps)
        return GATE_ONNX + "".join(TAP_ONNX.format(tap=tap) for tap in taps) + OUTPUT_ONNX.format(parts=parts)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.input_projection(x).chunk(2, dim=-1)
        before = functional.pad(value, (0, 0, self.tap_offsets[-1], 0))
        passed = torch.zeros_like(value)
        for start, tap in zip(self.tap_offsets, self.kernel.to(value.dtype), strict=True):
            passed = passed + before[:, start : start + x.shape[1]] * tap
        return torch.as_tensor(self.output_projection(passed * torch.sigmoid(gate)))

    def build_constants(self) -> Arrays:
        constants: Arrays = {
            "before": np.array([0, self.tap_offsets[-1], 0, 0, 0, 0], np.int64),
            "along": np.array([1], np.int64),
        }
        for number, start in enumerate(self.tap_offsets):
            constants[f"start{number}"] = np.array([start], np.int64)
            constants[f"tap{number}"] = to_numpy(self.kernel[number])
        return (
            constants
            | export_linear("both", self.input_projection)
            | export_linear("told", self.output_projection)
        )


class NextItNetTrainer(SequentialTrainer[NextItNetConfig]):
    name = NextItNet.name
    config_type = NextItNetConfig

    def _build_mixer(self, block: int) -> SequenceMixer:
        return GatedDilatedConvolution(self.config, dilation=2**block)
