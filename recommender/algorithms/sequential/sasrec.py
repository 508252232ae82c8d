"""The serving half of SASRec. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.algorithms.sequential.base import OnnxSequentialModel, SequentialConfig


@dataclass(frozen=True)
class SASRecConfig(SequentialConfig):
    """Parameters of `SASRec`, in addition to those of `SequentialConfig`.

    heads: Number of attention heads; divides `dimensions`.
    """

    heads: int = 1


class SASRec(OnnxSequentialModel[SASRecConfig]):
    """Causal self-attention over the history: Kang and McAuley, SASRec, ICDM 2018."""

    name = "sequence"
    label = "Sequence transformer (SASRec)"
    relative_cost = 1.0
    config_type = SASRecConfig
