"""Trains SASRec. Loads torch: never imported by a serving process."""

from __future__ import annotations

from recommender.algorithms.sequential.attention import CausalSelfAttention
from recommender.algorithms.sequential.network import SequenceMixer
from recommender.algorithms.sequential.sasrec import SASRec, SASRecConfig
from recommender.algorithms.sequential.trainer import SequentialTrainer


class SASRecTrainer(SequentialTrainer[SASRecConfig]):
    """A `SASRec` that can be fitted."""

    name = SASRec.name
    label = SASRec.label
    relative_cost = SASRec.relative_cost
    config_type = SASRecConfig

    def _build_mixer(self, _block: int) -> SequenceMixer:
        return CausalSelfAttention(self.config)
