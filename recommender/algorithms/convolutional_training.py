"""Trains the convolutional network. Loads torch: never imported by a serving process."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.algorithms.base import Arrays
from recommender.algorithms.convolutional import ConvolutionalConfig, ConvolutionalScorer
from recommender.algorithms.sequence_network import Mixer, array, linear
from recommender.algorithms.sequence_training import NextItemTrainer

HEAD = """
  both_raw{i} = MatMul(normed{i}, b{i}_both)
  both{i} = Add(both_raw{i}, b{i}_both_bias)
  value{i}, gate{i} = Split<axis: int = -1, num_outputs: int = 2>(both{i})
  before{i} = Pad(value{i}, b{i}_before)"""
TAP = """
  to{tap}_{{i}} = Add(b{{i}}_start{tap}, length)
  seen{tap}_{{i}} = Slice(before{{i}}, b{{i}}_start{tap}, to{tap}_{{i}}, b{{i}}_along)
  part{tap}_{{i}} = Mul(seen{tap}_{{i}}, b{{i}}_tap{tap})"""
TAIL = """
  sum{{i}} = Sum({parts})
  open{{i}} = Sigmoid(gate{{i}})
  passed{{i}} = Mul(sum{{i}}, open{{i}})
  told{{i}} = MatMul(passed{{i}}, b{{i}}_told)
  mixed{{i}} = Add(told{{i}}, b{{i}}_told_bias)"""


class Convolution(Mixer):
    """A gated separable convolution of each place with `taps` - 1 before it, `gap` apart.

    Each number of a vector has its own taps, and what is said of an item is the same at every tap: a full
    convolution learns that again for each, from too few events. Gate: Dauphin et al., ICML 2017."""

    def __init__(self, config: ConvolutionalConfig, gap: int) -> None:
        super().__init__()
        size, taps = config.dimensions, config.taps
        self.starts = [tap * gap for tap in range(taps)]
        self.both = nn.Linear(size, 2 * size)
        self.taps = nn.Parameter(torch.randn(taps, size) / taps + 1 / taps)
        self.told = nn.Linear(size, size)

    def graph(self) -> str:
        taps = range(len(self.starts))
        parts = ", ".join(f"part{tap}_{{i}}" for tap in taps)
        return HEAD + "".join(TAP.format(tap=tap) for tap in taps) + TAIL.format(parts=parts)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.both(x).chunk(2, dim=-1)
        before = functional.pad(value, (0, 0, self.starts[-1], 0))
        passed = torch.zeros_like(value)
        for start, tap in zip(self.starts, self.taps.to(value.dtype), strict=True):
            passed = passed + before[:, start : start + x.shape[1]] * tap
        return torch.as_tensor(self.told(passed * torch.sigmoid(gate)))

    def constants(self) -> Arrays:
        constants: Arrays = {
            "before": np.array([0, self.starts[-1], 0, 0, 0, 0], np.int64),
            "along": np.array([1], np.int64),
        }
        for number, start in enumerate(self.starts):
            constants[f"start{number}"] = np.array([start], np.int64)
            constants[f"tap{number}"] = array(self.taps[number])
        return constants | linear("both", self.both) | linear("told", self.told)


class ConvolutionalTrainer(NextItemTrainer[ConvolutionalConfig]):
    name = ConvolutionalScorer.name
    config_type = ConvolutionalConfig

    def _mixer(self, block: int) -> Mixer:
        return Convolution(self.config, gap=2**block)
