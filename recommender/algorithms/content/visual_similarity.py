"""Items that look like those of the history, from vectors of their images. No torch: the vectors are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.algorithms.base import Arrays
from recommender.algorithms.common.int8 import dequantize, quantize_rows
from recommender.algorithms.content.embedding_similarity import (
    EmbeddingSimilarity,
    EmbeddingSimilarityConfig,
    normalize_rows,
)
from recommender.algorithms.content.new_items import NewItemContent
from recommender.dataset import Dataset
from recommender.features.images import EMBEDDING_WIDTH
from recommender.types import Float16Array, Float32Array, InsufficientDataError

TRANSFORM_BATCH_SIZE = 8_192


@dataclass(frozen=True)
class VisualSimilarityConfig(EmbeddingSimilarityConfig):
    """dimensions: to how many the vectors are reduced; the directions are found on at most `sample` items."""

    dimensions: int = 128
    sample_size: int = 20_000


class VisualSimilarity(EmbeddingSimilarity[VisualSimilarityConfig]):
    """Cosine after principal components (Pearson 1901): the mean look says nothing about likeness, and a tenth of the
    directions holds what tells images apart. An item without an image scores zero, as if it looked like none."""

    name = "visual_similarity"
    label = "Image similarity"
    relative_cost = 0.05
    reads_content = frozenset({"image"})
    uses_behaviour = False
    config_type = VisualSimilarityConfig

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        seen = (
            np.flatnonzero(data.image_embeddings.any(axis=1))
            if data.image_embeddings is not None
            else np.empty(0, np.int64)
        )
        if data.image_embeddings is None or not seen.size:
            raise InsufficientDataError("no item has an image")
        chosen = (
            seen if seen.size <= self.config.sample_size else rng.choice(seen, self.config.sample_size, False)
        )
        self._fit_pca(data.image_embeddings[np.sort(chosen)].astype(np.float32))
        parts = [
            self.transform_images(data.image_embeddings[start : start + TRANSFORM_BATCH_SIZE])
            for start in range(0, data.n_items, TRANSFORM_BATCH_SIZE)
        ]
        # Rounded as they are stored, so that the model that is read back scores like this one.
        self.vectors = np.concatenate(parts).astype(np.float16).astype(np.float32)

    def _fit_pca(self, image_embeddings: Float32Array) -> None:
        """With less than two images there is no mean to leave out and nothing to tell apart."""
        width = image_embeddings.shape[1]
        self._mean = (
            image_embeddings.mean(axis=0) if len(image_embeddings) > 1 else np.zeros(width, np.float32)
        )
        centred = image_embeddings - self._mean
        # The same directions from the smaller of the two products.
        few = len(centred) < width
        spread, vectors = np.linalg.eigh(centred @ centred.T if few else centred.T @ centred)
        # Directions in which nothing differs are noise of the arithmetic.
        kept = np.flatnonzero(spread > spread.max() * 1e-6)[::-1][: self.config.dimensions]
        found = centred.T @ (vectors[:, kept] / np.sqrt(spread[kept])) if few else vectors[:, kept]
        self._components = np.ascontiguousarray(found, dtype=np.float32)

    def vectors_for(self, content: NewItemContent) -> Float32Array:
        """float32 (new items, dimensions) of items that were added after training; zero for items without an image."""
        no_image = np.zeros(EMBEDDING_WIDTH, np.float16)
        embeddings = [no_image if vector is None else vector for vector in content.image_embeddings]
        return self.transform_images(np.stack(embeddings))

    def transform_images(self, image_embeddings: Float32Array | Float16Array) -> Float32Array:
        """float32 (n, dimensions) of length one for vectors of images, float (n, width); zero for rows of zeros."""
        given = np.asarray(image_embeddings, dtype=np.float32)
        reduced = normalize_rows((given - self._mean) @ self._components)
        reduced[~given.any(axis=1)] = 0
        return reduced

    def _to_arrays(self) -> Arrays:
        return {
            "mean": self._mean,
            "directions": self._components,
            "vectors": self.vectors.astype(np.float16),
        }

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        vectors, step = quantize_rows(self.vectors)
        return arrays | {"vectors": vectors, "step": step}

    def _restore_state(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._mean, self._components = arrays["mean"], arrays["directions"]
        self.vectors = dequantize(arrays["vectors"], arrays.get("step")).astype(np.float32)
