"""Whether a review is positive about the described item ("agreement" in the API): s = w . (e_c * e_d) + b.

The formula is the client's: e_c is the embedding of the comment, e_d that of the description, * the elementwise product."""

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
    """Linear classifier of embedding products: weight float32 (encoder width).

    `encoder` is the name of the encoder, `accuracy` the balanced accuracy on held-out comments, NaN if not evaluated."""

    encoder: str
    weight: Float32Array
    bias: float
    accuracy: float = float("nan")

    def score(self, products: Float32Array) -> Float32Array:
        """Returns the log-odds float32 (n) of products float32 (n, width) from `compute_embedding_products`."""
        return np.asarray(products @ self.weight + np.float32(self.bias), dtype=np.float32)

    def to_bytes(self) -> bytes:
        """Serialises to safetensors with arrays `weight` and `bias` and metadata `format`, `encoder`, `accuracy`."""
        arrays = {
            "weight": self.weight,
            "bias": np.array([self.bias], np.float32),
        }
        metadata = {
            "format": FORMAT,
            "encoder": self.encoder,
            "accuracy": repr(self.accuracy),
        }
        return save(arrays, metadata)

    @classmethod
    def load(cls, path: Path) -> RelevanceClassifier:
        """Reads a file with the content of `to_bytes`. Raises DataError for another file."""
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                weight = file.get_tensor("weight")
                bias = file.get_tensor("bias")
            if metadata["format"] != FORMAT:
                raise DataError(f"{path.name} is not a relevance classifier of this version.")
            return cls(
                encoder=metadata["encoder"],
                weight=weight,
                bias=float(bias[0]),
                accuracy=float(metadata["accuracy"]),
            )
        except DataError:
            raise
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise DataError(f"{path.name} is not a relevance classifier.") from error


@cache
def load_default_relevance_classifier() -> RelevanceClassifier:
    """Returns the classifier that is distributed with this package."""
    return RelevanceClassifier.load(get_heads_folder() / "agreement.safetensors")


def compute_embedding_products(
    comments: Sequence[str], descriptions: Sequence[str], encoder: TextEncoder
) -> Float32Array:
    """Returns e_c * e_d, float32 (n, encoder.width), of cleaned comments and the cleaned descriptions of their items."""
    # Many comments share a description: each distinct one is encoded once and then looked up by row.
    distinct = list(dict.fromkeys(descriptions))
    row_of_description = {description: row for row, description in enumerate(distinct)}
    rows = [row_of_description[description] for description in descriptions]
    products: Float32Array = encoder.encode(comments) * encoder.encode(distinct)[rows]
    return products
