"""Texts as the tokens of a transformer. The tokenizer is content, not a folder: a head carries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from recommender.types import DataError, Int32Array

MAX_TOKENS = 128


class WordPieceTokenizer:
    """`content` is a `tokenizer.json`. Raises DataError for one that cannot be read.

    Of `at_once` tokens, padding included, a layer makes a few megabytes, which stay near a processor."""

    max_batch_tokens = 512

    def __init__(self, content: bytes) -> None:
        if find_spec("tokenizers") is None:
            raise DataError(
                "The package tokenizers is not installed; workers need it for this sentiment head."
            )
        from tokenizers import Tokenizer  # noqa: PLC0415 - which heads without a transformer do not need

        try:
            self._tokenizer = Tokenizer.from_str(content.decode())
        except Exception as fault:  # the package raises bare exceptions
            raise DataError("The tokenizer of this sentiment head cannot be read.") from fault
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def tokenize(self, texts: Sequence[str]) -> list[Int32Array]:
        """Numbers of the tokens of each cleaned text, at most MOST_TOKENS, marks of beginning and end among them."""
        found = []
        for text in texts:  # not as one batch: what the package keeps of each text is fifty times its numbers
            numbers = np.array(self._tokenizer.encode(text).ids, np.int32)
            if numbers.size > MAX_TOKENS:  # an opening and an end say what a review thinks, the middle least
                numbers = np.concatenate([numbers[: MAX_TOKENS // 2], numbers[-MAX_TOKENS // 2 :]])
            found.append(numbers)
        return found

    def build_inputs(self, token_ids: Sequence[Int32Array]) -> Mapping[str, np.ndarray[Any, Any]]:
        """`tokens` int64 (rows, longest), zero behind a text's end; `there` float32 (rows, longest, 1), one where a token
        stands."""
        longest = max(row.size for row in token_ids)
        tokens = np.zeros((len(token_ids), longest), np.int64)
        there = np.zeros((len(token_ids), longest, 1), np.float32)
        for place, row in enumerate(token_ids):
            tokens[place, : row.size] = row
            there[place, : row.size] = 1
        return {"tokens": tokens, "there": there}
