"""Which network is tuned to labelled reviews. Loads torch and transformers: workers and commands only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from recommender.language.encoders import MULTILINGUAL
from recommender.language.network import ReviewNetwork
from recommender.language.network_training import fit_network
from recommender.language.transformer_network import fit_transformer
from recommender.language.transformer_training import MINILM, minilm_folder

Tuning = Callable[..., ReviewNetwork]


def tuning(encoder: str) -> Tuning:
    """Of `multilingual`, `minilm` (English) or the BERT in a folder: what fit_network is for the first. Raises DataError
    where it is called and the encoder cannot be read."""
    if encoder == MULTILINGUAL:
        return fit_network
    return partial(fit_transformer, folder=minilm_folder() if encoder == MINILM else Path(encoder))
