"""Whether a comment speaks well of the thing described: the client's s = w . (e_c * e_d) + b."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.resources import get_heads_folder
from recommender.types import DataError, Float32Array

FORMAT = "1"


@dataclass(frozen=True, slots=True)
class RelevanceClassifier:
    """e_c is the vector of a comment, e_d that of the description it is about, their product element by element;
    weight float32 (width) is w. `accuracy` is balanced, on comments that were not learned from."""

    encoder: str
    weight: Float32Array
    bias: float
    accuracy: float = float("nan")

    def score(self, products: Float32Array) -> Float32Array:
        """Log-odds of praise float32 (n), of products e_c * e_d (n, width) of the head's encoder."""
        return np.asarray(products @ self.weight + np.float32(self.bias), dtype=np.float32)

    def to_bytes(self) -> bytes:
        arrays = {"weight": self.weight, "bias": np.array([self.bias], np.float32)}
        return save(arrays, {"format": FORMAT, "encoder": self.encoder, "accuracy": repr(self.accuracy)})

    @classmethod
    def load(cls, path: Path) -> RelevanceClassifier:
        """Raises DataError for a file that to_bytes() did not write."""
        try:
            with safe_open(path, framework="numpy") as file:
                told = file.metadata() or {}
                weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
            if told["format"] != FORMAT:
                raise DataError(f"{path.name} is not an agreement head of this version.")
            return cls(told["encoder"], weight, float(bias[0]), float(told["accuracy"]))
        except (OSError, SafetensorError, KeyError, ValueError) as fault:
            if isinstance(fault, DataError):
                raise
            raise DataError(f"{path.name} is not an agreement head.") from fault


@cache
def load_default_relevance_classifier() -> RelevanceClassifier:
    return RelevanceClassifier.load(get_heads_folder() / "agreement.safetensors")


def compute_embedding_products(
    comments: Sequence[str], descriptions: Sequence[str], encoder: TextEncoder
) -> Float32Array:
    """e_c * e_d float32 (n, width) of cleaned texts; each different description is encoded once."""
    names = list(dict.fromkeys(descriptions))
    known = dict(zip(names, encoder.encode(names), strict=True))
    found: Float32Array = encoder.encode(comments) * np.stack([known[name] for name in descriptions])
    return found
