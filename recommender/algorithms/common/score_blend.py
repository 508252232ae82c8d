"""One score from several: each member's scores standardised for the history, then weighted and added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.types import DataError, Float32Array


def scale_to_z_scores(scores: Float32Array) -> Float32Array:
    """Each row with mean zero and deviation one; a constant row becomes zeros. Works in place."""
    scores -= scores.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.einsum("...i,...i->...", scores, scores) / scores.shape[-1])[..., None]
    scores *= np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-12)
    return scores


@dataclass(frozen=True)
class Blend:
    """weights by member name; a member that is not named does not count."""

    weights: Mapping[str, float]

    def combine(self, scores: Mapping[str, Float32Array]) -> Float32Array:
        """float32, the shape of each member's scores, which are overwritten with their standardised form."""
        counted = {name: part for name, part in scores.items() if self.weights.get(name)}
        return self.sum_weighted({name: scale_to_z_scores(part) for name, part in counted.items()})

    def sum_weighted(self, scores: Mapping[str, Float32Array]) -> Float32Array:
        """The same from scores that are standardised already and stay as they are."""
        parts = [
            scores[name] * np.float32(weight)
            for name, weight in self.weights.items()
            if weight and name in scores
        ]
        if not parts:
            raise DataError("None of the blended members has scores.")
        total = parts[0]
        for part in parts[1:]:
            total += part
        return total

    def exclude_models(self, names: set[str]) -> Blend:
        """The blend of the other members; what is served when some cannot be."""
        return Blend({name: weight for name, weight in self.weights.items() if name not in names})

    def to_json(self) -> str:
        return json.dumps({"weights": dict(self.weights)})

    @classmethod
    def from_json(cls, text: str) -> Blend:
        return cls({str(name): float(weight) for name, weight in json.loads(text)["weights"].items()})
