"""Items that look like those of the history, from vectors of their images. No torch: the vectors are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.algorithms.base import Arrays
from recommender.algorithms.likeness import Likeness, LikenessConfig, unit
from recommender.algorithms.narrow import narrow_rows, widened
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats, Halves

ROWS = 8_192


@dataclass(frozen=True)
class LookConfig(LikenessConfig):
    """dimensions: to how many the vectors are reduced; the directions are found on at most `sample` items."""

    dimensions: int = 128
    sample: int = 20_000


class Look(Likeness[LookConfig]):
    """Cosine after principal components (Pearson 1901): the mean look says nothing about likeness, and a tenth of the
    directions holds what tells images apart. An item without an image scores zero, as if it looked like none."""

    name = "look"
    config_type = LookConfig

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        seen = np.flatnonzero(data.look.any(axis=1)) if data.look is not None else np.empty(0, np.int64)
        if data.look is None or not seen.size:
            raise CannotFit("no item has an image")
        chosen = seen if seen.size <= self.config.sample else rng.choice(seen, self.config.sample, False)
        self._learn(data.look[np.sort(chosen)].astype(np.float32))
        parts = [self.vectors_of(data.look[start : start + ROWS]) for start in range(0, data.items, ROWS)]
        # Rounded as they are stored, so that the model that is read back scores like this one.
        self.vectors = np.concatenate(parts).astype(np.float16).astype(np.float32)

    def _learn(self, looks: Floats) -> None:
        """With less than two images there is no mean to leave out and nothing to tell apart."""
        width = looks.shape[1]
        self._mean = looks.mean(axis=0) if len(looks) > 1 else np.zeros(width, np.float32)
        centred = looks - self._mean
        # The same directions from the smaller of the two products.
        few = len(centred) < width
        spread, vectors = np.linalg.eigh(centred @ centred.T if few else centred.T @ centred)
        # Directions in which nothing differs are noise of the arithmetic.
        kept = np.flatnonzero(spread > spread.max() * 1e-6)[::-1][: self.config.dimensions]
        found = centred.T @ (vectors[:, kept] / np.sqrt(spread[kept])) if few else vectors[:, kept]
        self._directions = np.ascontiguousarray(found, dtype=np.float32)

    def vectors_of(self, looks: Floats | Halves) -> Floats:
        """float32 (n, dimensions) of length one for vectors of images, float (n, width); zero for rows of zeros."""
        given = np.asarray(looks, dtype=np.float32)
        reduced = unit((given - self._mean) @ self._directions)
        reduced[~given.any(axis=1)] = 0
        return reduced

    def _arrays(self) -> Arrays:
        return {
            "mean": self._mean,
            "directions": self._directions,
            "vectors": self.vectors.astype(np.float16),
        }

    def _narrowed(self, arrays: Arrays) -> Arrays:
        vectors, step = narrow_rows(self.vectors)
        return arrays | {"vectors": vectors, "step": step}

    def _restore(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._mean, self._directions = arrays["mean"], arrays["directions"]
        self.vectors = widened(arrays["vectors"], arrays.get("step")).astype(np.float32)
