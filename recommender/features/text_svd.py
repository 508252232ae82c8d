"""The main directions of a catalogue's texts: short dense vectors for networks. Training only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.utils.extmath import randomized_svd

from recommender.features.tfidf import TfidfVectorizer
from recommender.types import Float32Array

# Directions hardly change beyond this many texts, and finding them costs time for each.
MAX_FIT_TEXTS = 20_000
SVD_ITERATIONS = 5


def compute_text_svd(
    texts: Sequence[str], n_components: int, rng: np.random.Generator
) -> Float32Array | None:
    """float32 (texts, size): TF-IDF vectors seen along their `size` main directions; None where no text says anything.

    Latent semantic analysis (Deerwester et al. 1990). Each direction is centred and divided by the root of its
    deviation: halfway to whitening, so that what most items share does not drown what tells them apart. The mean
    square of all numbers is one; an empty text is a row of zeros, and so are directions the texts do not have."""
    vectoriser = TfidfVectorizer.fit(texts, min_items=2 if len(texts) >= 100 else 1, max_terms=50_000)
    vectors = vectoriser.transform(texts)
    there = np.flatnonzero(np.diff(vectors.indptr))
    rank = min(n_components, len(there), vectors.shape[1])
    if rank < 2:
        return None
    read = there if len(there) <= MAX_FIT_TEXTS else np.sort(rng.choice(there, MAX_FIT_TEXTS, replace=False))
    _, _, axes = randomized_svd(
        vectors[read], rank, n_iter=SVD_ITERATIONS, random_state=int(rng.integers(2**31))
    )
    along = np.asarray(vectors[there] @ axes.T.astype(np.float32))
    along -= along.mean(axis=0)
    deviation = along.std(axis=0)
    along *= np.divide(1, np.sqrt(deviation), out=np.zeros_like(deviation), where=deviation > 1e-6)
    spread = float(np.sqrt(np.square(along).mean()))
    if spread == 0:
        return None
    out = np.zeros((len(texts), n_components), np.float32)
    out[there, :rank] = along / np.float32(spread)
    return out
