"""Which network is tuned to labelled reviews. Loads torch and transformers: workers and commands only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from recommender.language.encoders import MULTILINGUAL
from recommender.language.network import ReviewNetwork
from recommender.language.network_training import fit_network
from recommender.language.transformer_network import fit_transformer
from recommender.language.transformer_training import MINILM, minilm_folder
from recommender.types import Bools, DataError, Report, silent


class Tuning(Protocol):
    def __call__(
        self,
        texts: Sequence[str],
        praise: Bools,
        *,
        rng: np.random.Generator,
        start: ReviewNetwork | None = None,
        report: Report = silent,
    ) -> ReviewNetwork: ...


def tuning(encoder: str) -> Tuning:
    """Of `multilingual`, `minilm` (English) or the BERT in a folder; each as fit_network describes it. Raises DataError
    where there is no such encoder."""
    if encoder == MULTILINGUAL:
        return fit_network
    folder = minilm_folder() if encoder == MINILM else Path(encoder)
    if not encoder or not folder.is_dir():
        raise DataError(f"There is no encoder {encoder!r}: name multilingual, minilm or a folder.")
    return partial(fit_transformer, folder=folder)
