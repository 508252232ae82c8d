"""Short dense vectors of item texts by latent semantic analysis. Training only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.utils.extmath import randomized_svd

from recommender.features.tfidf import TfidfVectorizer
from recommender.types import Float32Array

# With more texts the components hardly change, and the decomposition takes longer.
MAX_FIT_TEXTS = 20_000
SVD_ITERATIONS = 5
# Below this deviation a component is constant.
MIN_DEVIATION = 1e-6


def compute_text_svd(
    texts: Sequence[str], n_components: int, rng: np.random.Generator
) -> Float32Array | None:
    """Projects TF-IDF vectors on their principal components (latent semantic analysis, Deerwester et al. 1990).

    Each component is centred and divided by the square root of its deviation. This is halfway to whitening: what most
    items have in common does not dominate what distinguishes them. The mean square of all values is one.

    Args:
        texts: one text for each item.
        n_components: width of the result.
        rng: draws the sample of texts and the start of the decomposition.

    Returns:
        float32 (texts, n_components), zero for empty texts and for components that the texts do not have; None where the
        texts have fewer than two components.
    """
    min_items = 2 if len(texts) >= 100 else 1
    vectorizer = TfidfVectorizer.fit(texts, min_items=min_items, max_terms=50_000)
    vectors = vectorizer.transform(texts)
    has_terms = np.flatnonzero(np.diff(vectors.indptr))
    rank = min(n_components, len(has_terms), vectors.shape[1])
    if rank < 2:
        return None
    sample = has_terms
    if len(has_terms) > MAX_FIT_TEXTS:
        sample = np.sort(rng.choice(has_terms, MAX_FIT_TEXTS, replace=False))
    seed = int(rng.integers(2**31))
    _, _, axes = randomized_svd(
        vectors[sample],
        rank,
        n_iter=SVD_ITERATIONS,
        random_state=seed,
    )
    components = np.asarray(vectors[has_terms] @ axes.T.astype(np.float32))
    components -= components.mean(axis=0)
    deviation = components.std(axis=0)
    scale = np.zeros_like(deviation)
    np.divide(
        1,
        np.sqrt(deviation),
        out=scale,
        where=deviation > MIN_DEVIATION,
    )
    components *= scale
    root_mean_square = float(np.sqrt(np.square(components).mean()))
    if root_mean_square == 0:
        return None
    result = np.zeros((len(texts), n_components), np.float32)
    result[has_terms, :rank] = components / np.float32(root_mean_square)
    return result
