"""WordPiece tokenizer of a BERT. It is built from bytes, not from a folder, so that a trained classifier can contain it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from recommender.language.encoders.base import truncate_middle
from recommender.types import DataError, Int32Array

MAX_TOKENS = 128


class WordPieceTokenizer:
    """Tokenizer from the content of a `tokenizer.json`. Raises DataError if it cannot be read.

    A batch of `max_batch_tokens` tokens, padding included, needs a few megabytes per layer, which fit a CPU cache."""

    max_batch_tokens = 512

    def __init__(self, content: bytes) -> None:
        if find_spec("tokenizers") is None:
            raise DataError(
                "The package tokenizers is not installed; workers need it for this sentiment classifier."
            )
        from tokenizers import Tokenizer  # noqa: PLC0415 - only classifiers with a BERT need the package

        try:
            self._tokenizer = Tokenizer.from_str(content.decode())
        except Exception as error:  # the package raises bare exceptions
            raise DataError("The tokenizer of this sentiment classifier cannot be read.") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def tokenize(self, texts: Sequence[str]) -> list[Int32Array]:
        """Returns the token ids of each cleaned text, at most MAX_TOKENS, including begin and end tokens."""
        token_ids = []
        # Not as one batch: an encoding of the package takes fifty times the memory of its ids.
        for text in texts:
            encoding = self._tokenizer.encode(text)
            numbers = np.array(encoding.ids, np.int32)
            token_ids.append(truncate_middle(numbers, MAX_TOKENS))
        return token_ids

    def build_inputs(self, token_ids: Sequence[Int32Array]) -> Mapping[str, np.ndarray[Any, Any]]:
        """Pads rows to a batch.

        Returns:
            `tokens` int64 (rows, longest), zero in the padding; `attention_mask` float32 (rows, longest, 1).
        """
        longest = max(row.size for row in token_ids)
        shape = (len(token_ids), longest)
        tokens = np.zeros(shape, np.int64)
        attention_mask = np.zeros((*shape, 1), np.float32)
        for index, row in enumerate(token_ids):
            tokens[index, : row.size] = row
            attention_mask[index, : row.size] = 1
        return {"tokens": tokens, "attention_mask": attention_mask}
