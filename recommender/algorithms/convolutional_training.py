"""Trains the convolutional network. Loads torch: never imported by a serving process."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recommender.algorithms.base import Arrays
from recommender.algorithms.convolutional import ConvolutionalConfig, ConvolutionalScorer
from recommender.algorithms.sequence_network import Mixer, linear
from recommender.algorithms.sequence_training import NextItemTrainer

HEAD = """
  before{i} = Pad(normed{i}, b{i}_before)"""
TAP = """
  to{tap}_{{i}} = Add(b{{i}}_tap{tap}, length)
  seen{tap}_{{i}} = Slice(before{{i}}, b{{i}}_tap{tap}, to{tap}_{{i}}, b{{i}}_along)"""
TAIL = """
  seen{{i}} = Concat<axis: int = -1>({seen})
  both_raw{{i}} = MatMul(seen{{i}}, b{{i}}_both)
  both{{i}} = Add(both_raw{{i}}, b{{i}}_both_bias)
  value{{i}}, gate{{i}} = Split<axis: int = -1, num_outputs: int = 2>(both{{i}})
  open{{i}} = Sigmoid(gate{{i}})
  mixed{{i}} = Mul(value{{i}}, open{{i}})"""


class Convolution(Mixer):
    """A gated convolution (Dauphin et al., ICML 2017) of each place with `taps` - 1 before it, `gap` apart.

    Written as one product of the places side by side: that quantises, and is quicker than Conv1d at this size."""

    def __init__(self, config: ConvolutionalConfig, gap: int) -> None:
        super().__init__()
        self.starts = [tap * gap for tap in range(config.taps)]
        self.both = nn.Linear(config.taps * config.dimensions, 2 * config.dimensions)

    def graph(self) -> str:
        taps = range(len(self.starts))
        seen = ", ".join(f"seen{tap}_{{i}}" for tap in taps)
        return HEAD + "".join(TAP.format(tap=tap) for tap in taps) + TAIL.format(seen=seen)

    def forward(self, x: Tensor) -> Tensor:
        before = functional.pad(x, (0, 0, self.starts[-1], 0))
        seen = torch.cat([before[:, start : start + x.shape[1]] for start in self.starts], dim=-1)
        return functional.glu(self.both(seen), dim=-1)

    def constants(self) -> Arrays:
        constants: Arrays = {
            "before": np.array([0, self.starts[-1], 0, 0, 0, 0], np.int64),
            "along": np.array([1], np.int64),
        }
        for tap, start in enumerate(self.starts):
            constants[f"tap{tap}"] = np.array([start], np.int64)
        return constants | linear("both", self.both)


class ConvolutionalTrainer(NextItemTrainer[ConvolutionalConfig]):
    name = ConvolutionalScorer.name
    config_type = ConvolutionalConfig

    def _mixer(self, block: int) -> Mixer:
        return Convolution(self.config, gap=2**block)
