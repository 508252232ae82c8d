"""Interface of text encoders, and batching and truncation that the encoders share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from recommender.types import Float32Array, Int32Array

MULTILINGUAL = "multilingual"  # name of the default encoder, stored in trained classifiers
MAX_CHARACTERS = 256
_BATCH_SIZE = 64


class TextEncoder(Protocol):
    """Maps texts to sentence embeddings. Encoders with the same `name` return the same vectors."""

    @property
    def name(self) -> str:
        """Identifies the encoder; classifiers store it and reject embeddings of another encoder."""

    @property
    def width(self) -> int:
        """Length of an embedding."""

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """Returns float32 (len(texts), width) of cleaned texts, rows of L2 norm 1; the row of "" is arbitrary."""


def encode_by_length(
    texts: Sequence[str],
    encode_batch: Callable[[list[str]], Float32Array],
    width: int,
) -> Float32Array:
    """Encodes the first MAX_CHARACTERS characters of each text in batches of similar length, which need little padding.

    Args:
        texts: cleaned texts.
        encode_batch: returns float32 (batch size, width).
        width: length of an embedding.

    Returns:
        float32 (len(texts), width), in the order of `texts`.
    """
    shortened = [text[:MAX_CHARACTERS] or " " for text in texts]
    order = sorted(range(len(shortened)), key=lambda row: len(shortened[row]))
    embeddings = np.zeros((len(shortened), width), np.float32)
    for start in range(0, len(order), _BATCH_SIZE):
        rows = order[start : start + _BATCH_SIZE]
        embeddings[rows] = encode_batch([shortened[row] for row in rows])
    return embeddings


def truncate_middle(token_ids: Int32Array, max_tokens: int) -> Int32Array:
    """Returns at most `max_tokens` (an even number) token ids: the first half and the last half of them.

    A review's opinion is mostly at its beginning and its end, so the middle is dropped."""
    if token_ids.size <= max_tokens:
        return token_ids
    half = max_tokens // 2
    return np.concatenate([token_ids[:half], token_ids[-half:]])
