"""Fine-tuners of sentiment networks by encoder name.

Imports torch and transformers, so only workers and commands may import this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from recommender.language.encoders.base import MULTILINGUAL
from recommender.language.encoders.huggingface import MINILM, find_minilm_folder
from recommender.language.sentiment.finetuning.bert import fit_bert
from recommender.language.sentiment.finetuning.use_cnn import fit_use_cnn
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.types import (
    BoolArray,
    DataError,
    ProgressCallback,
    ignore_progress,
)


class Finetuner(Protocol):
    """`fit_use_cnn`, or `fit_bert` with its folder."""

    def __call__(
        self,
        texts: Sequence[str],
        is_positive: BoolArray,
        *,
        rng: np.random.Generator,
        initial: OnnxSentimentNetwork | None = None,
        report: ProgressCallback = ignore_progress,
    ) -> OnnxSentimentNetwork: ...


def get_finetuner(encoder_name: str) -> Finetuner:
    """Returns the fine-tuner of `multilingual`, of `minilm` (English) or of the BERT in a folder.

    Raises DataError if there is no such encoder."""
    if encoder_name == MULTILINGUAL:
        return fit_use_cnn
    folder = find_minilm_folder() if encoder_name == MINILM else Path(encoder_name)
    # Path("") is the current directory, so an empty name is rejected separately.
    if not encoder_name or not folder.is_dir():
        raise DataError(f"There is no encoder {encoder_name!r}: name multilingual, minilm or a folder.")
    return partial(fit_bert, folder=folder)
