"""Normalisation of score and embedding matrices. Only numpy."""

from __future__ import annotations

import numpy as np

from recommender.types import Float32Array

# Below this norm or deviation a vector counts as zero: dividing by it would amplify rounding errors.
EPSILON = 1e-12


def normalize_rows(vectors: Float32Array) -> Float32Array:
    """Scales each row to Euclidean length one, shape (n, width), float32; rows of zeros stay zero."""
    norms = np.linalg.norm(
        vectors,
        axis=1,
        keepdims=True,
    )
    return np.asarray(vectors / np.maximum(norms, np.float32(EPSILON)), dtype=np.float32)


def scale_to_z_scores(scores: Float32Array) -> Float32Array:
    """Standardises along the last axis, in place: mean zero, deviation one; a constant row becomes zeros.

    Returns the argument itself.
    """
    scores -= scores.mean(axis=-1, keepdims=True)
    # The sum of squares without a temporary array as large as the scores.
    variance = np.einsum("...i,...i->...", scores, scores) / scores.shape[-1]
    deviation = np.sqrt(variance)[..., None]
    scores *= np.divide(
        1,
        deviation,
        out=np.zeros_like(deviation),
        where=deviation > EPSILON,
    )
    return scores
