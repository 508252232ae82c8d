"""The served half of the convolutional network. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.algorithms.sequence import NextItemConfig, NextItemScorer, Schedule


@dataclass(frozen=True)
class ConvolutionalConfig(NextItemConfig):
    """Block b sees `taps` events, 2 ** b steps apart; together the blocks see 1 + (taps - 1)(2 ** blocks - 1)."""

    blocks: int = 2
    batch: int = 256
    learning_rate: float = 4e-3
    schedule: Schedule = "one-cycle"
    epochs: int = 30
    taps: int = 5


class ConvolutionalScorer(NextItemScorer[ConvolutionalConfig]):
    """Causal dilated convolutions along the history: Yuan et al., NextItNet, WSDM 2019."""

    name = "convolutional"
    config_type = ConvolutionalConfig
