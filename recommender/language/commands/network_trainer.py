"""Fine-tuning of networks for the commands; torch is imported only if a network is requested."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recommender.language.sentiment.evaluation import NetworkTrainer
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.types import BoolArray, ProgressCallback, ignore_progress


def build_network_trainer(
    encoder_name: str,
    *,
    seed: int,
    report: ProgressCallback = ignore_progress,
) -> NetworkTrainer:
    """Returns a trainer that fine-tunes the named encoder with a new generator of the given seed on each call.

    Raises DataError if there is no such encoder."""
    from recommender.language.sentiment.finetuning.registry import get_finetuner  # noqa: PLC0415 - torch, which few runs need

    finetune = get_finetuner(encoder_name)

    def train_network(
        texts: Sequence[str],
        is_positive: BoolArray,
        initial: OnnxSentimentNetwork | None,
    ) -> OnnxSentimentNetwork:
        return finetune(
            texts,
            is_positive,
            rng=np.random.default_rng(seed),
            initial=initial,
            report=report,
        )

    return train_network
