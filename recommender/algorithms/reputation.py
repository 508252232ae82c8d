"""What reviews say of an item, and whether it is praised for what the person's own items are praised for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.features_model import unit
from recommender.algorithms.narrow import narrow_rows, widened
from recommender.algorithms.neighbours import as_matrix, faded
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats, Histories, Ints


@dataclass(frozen=True)
class ReputationConfig:
    """taste: how much likeness of aspects counts beside the regard of everybody, agreement likewise; decay for each step
    back."""

    taste: float = 0.5
    agreement: float = 0.5
    decay: float = 0.8
    history: int = 50


class Reputation(Recommender[ReputationConfig]):
    """Scores r_i + agreement . g_i + taste . cos(a_u, a_i): r_i the shrunk praise of item i and g_i its shrunk agreement,
    each over its greatest size, a_i the praise of each of its aspects, a_u the faded mean of the history's."""

    name = "reputation"
    config_type = ReputationConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        if data.opinions is None or not data.opinions.present:
            raise CannotFit("no item has enough reviews")
        agreement = np.float32(self.config.agreement) * _over_greatest(data.opinions.agreement)
        self._regard = (_over_greatest(data.opinions.regard) + agreement).astype(np.float32)
        self._aspects = unit(data.opinions.aspects.astype(np.float32))

    def _score(self, histories: Histories) -> Floats:
        recent = histories.latest(self.config.history)
        mean = as_matrix(recent, self.items, faded(recent, self.config.decay)) @ self._aspects
        taste = unit(np.asarray(mean, dtype=np.float32)) @ self._aspects.T
        return np.asarray(self._regard + np.float32(self.config.taste) * taste, dtype=np.float32)

    def _similarity(self, items: Ints) -> Floats:
        return np.asarray(self._aspects[items] @ self._aspects.T, dtype=np.float32)

    def _arrays(self) -> Arrays:
        return {"regard": self._regard, "aspects": self._aspects}

    def _narrowed(self, arrays: Arrays) -> Arrays:
        aspects, step = narrow_rows(self._aspects)
        return arrays | {"aspects": aspects, "step": step}

    def _restore(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._regard, self._aspects = arrays["regard"], widened(arrays["aspects"], arrays.get("step"))


def _over_greatest(values: Floats) -> Floats:
    return np.asarray(values / max(float(np.abs(values).max(initial=0.0)), 1e-12), dtype=np.float32)
