"""Similarity of items by their images' embeddings, reduced by PCA. No torch: embeddings are computed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.algorithms.base import Arrays
from recommender.algorithms.content.embedding_similarity import EmbeddingSimilarity, EmbeddingSimilarityConfig
from recommender.algorithms.content.new_items import NewItemContent
from recommender.dataset import Dataset
from recommender.features.images import EMBEDDING_WIDTH
from recommender.numeric import normalize_rows
from recommender.onnx.int8 import dequantize, quantize_rows
from recommender.types import Float16Array, Float32Array, InsufficientDataError

TRANSFORM_BATCH_SIZE = 8_192
# Components whose variance is below this fraction of the greatest are rounding errors.
_MIN_RELATIVE_VARIANCE = 1e-6


@dataclass(frozen=True)
class VisualSimilarityConfig(EmbeddingSimilarityConfig):
    """Parameters of `VisualSimilarity`, in addition to those of `EmbeddingSimilarity`.

    dimensions: Number of principal components kept.
    sample_size: Items that the components are computed from, at most.
    """

    dimensions: int = 128
    sample_size: int = 20_000


class VisualSimilarity(EmbeddingSimilarity[VisualSimilarityConfig]):
    """Cosine of image embeddings after a principal component analysis (Pearson 1901).

    Subtracting the mean removes what all images share, and a tenth of the components holds nearly all of the
    variance. An item without an image scores zero.
    """

    name = "visual_similarity"
    label = "Image similarity"
    relative_cost = 0.05
    reads_content = frozenset({"image"})
    uses_behaviour = False
    config_type = VisualSimilarityConfig

    def _fit(
        self,
        data: Dataset,
        rng: np.random.Generator,
    ) -> None:
        embeddings = data.image_embeddings
        if embeddings is None or not embeddings.any():
            raise InsufficientDataError("no item has an image")
        # An item without an image has a row of zeros.
        sample = np.flatnonzero(embeddings.any(axis=1))
        if sample.size > self.config.sample_size:
            sample = rng.choice(
                sample,
                self.config.sample_size,
                replace=False,
            )
        self._fit_pca(embeddings[np.sort(sample)].astype(np.float32))
        batches = []
        for start in range(0, data.n_items, TRANSFORM_BATCH_SIZE):
            batches.append(self.transform_images(embeddings[start : start + TRANSFORM_BATCH_SIZE]))
        # Rounded to float16 as in the stored file, so that the restored model scores like this one.
        self.vectors = np.concatenate(batches).astype(np.float16).astype(np.float32)

    def _fit_pca(self, image_embeddings: Float32Array) -> None:
        n_images, width = image_embeddings.shape
        self._mean = np.zeros(width, np.float32)
        # With a single image the mean is the image itself, and nothing would be left of it.
        if n_images > 1:
            self._mean = image_embeddings.mean(axis=0)
        centred = image_embeddings - self._mean
        # X X' and X'X have the same nonzero eigenvalues; the smaller one is decomposed.
        use_gram = n_images < width
        product = centred @ centred.T if use_gram else centred.T @ centred
        variances, eigenvectors = np.linalg.eigh(product)
        is_significant = variances > variances.max() * _MIN_RELATIVE_VARIANCE
        # eigh sorts by rising eigenvalue.
        selected = np.flatnonzero(is_significant)[::-1][: self.config.dimensions]
        components = eigenvectors[:, selected]
        if use_gram:
            # An eigenvector u of X X' gives the unit eigenvector X'u / sqrt(eigenvalue) of X'X.
            components = centred.T @ (components / np.sqrt(variances[selected]))
        self._components = np.ascontiguousarray(components, dtype=np.float32)

    def vectors_for(self, content: NewItemContent) -> Float32Array:
        """Returns the vectors of items that were added after training, float32 (new items, dimensions).

        An item without an image has a row of zeros.
        """
        no_image = np.zeros(EMBEDDING_WIDTH, np.float16)
        embeddings = [no_image if vector is None else vector for vector in content.image_embeddings]
        return self.transform_images(np.stack(embeddings))

    def transform_images(self, image_embeddings: Float32Array | Float16Array) -> Float32Array:
        """Reduces image embeddings.

        Args:
            image_embeddings: float (n, width); a row of zeros stands for no image.

        Returns:
            float32 (n, dimensions), rows of length one, or zero for no image.
        """
        embeddings = np.asarray(image_embeddings, dtype=np.float32)
        centred = np.asarray(embeddings - self._mean, dtype=np.float32)
        reduced = normalize_rows(centred @ self._components)
        # Without this, subtracting the mean would turn "no image" into a direction of its own.
        reduced[~embeddings.any(axis=1)] = 0
        return reduced

    def _to_arrays(self) -> Arrays:
        return {
            "mean": self._mean,
            "components": self._components,
            "vectors": self.vectors.astype(np.float16),
        }

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        vectors, scale = quantize_rows(self.vectors)
        return arrays | {"vectors": vectors, "scale": scale}

    def _restore_state(
        self,
        arrays: Arrays,
        _files: Mapping[str, bytes],
    ) -> None:
        self._mean = arrays["mean"]
        self._components = arrays["components"]
        self.vectors = dequantize(arrays["vectors"], arrays.get("scale")).astype(np.float32)
