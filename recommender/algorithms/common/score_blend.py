"""The weighted blend of several models' scores, standardised per history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.numeric import scale_to_z_scores
from recommender.types import DataError, Float32Array


@dataclass(frozen=True)
class Blend:
    """Weights by model name; a model without a weight, or with weight zero, does not take part."""

    weights: Mapping[str, float]

    def combine(self, scores: Mapping[str, Float32Array]) -> Float32Array:
        """Standardises raw scores and sums them; the arrays of models with a weight are overwritten.

        Args:
            scores: By model name float32 (n, items).

        Returns:
            float32 (n, items).

        Raises:
            DataError: None of the models has a weight.
        """
        z_scores = {}
        for name, values in scores.items():
            if self.weights.get(name):
                z_scores[name] = scale_to_z_scores(values)
        return self.sum_weighted(z_scores)

    def sum_weighted(self, z_scores: Mapping[str, Float32Array]) -> Float32Array:
        """Sums standardised scores by weight; float32 of the scores' shape. Leaves the arguments unchanged.

        Raises:
            DataError: None of the models has a weight.
        """
        total: Float32Array | None = None
        for name, weight in self.weights.items():
            if not weight or name not in z_scores:
                continue
            weighted = z_scores[name] * np.float32(weight)
            if total is None:
                total = weighted
            else:
                total += weighted
        if total is None:
            raise DataError("None of the blended models has scores.")
        return total
