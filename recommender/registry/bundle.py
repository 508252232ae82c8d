"""What an artefact holds: the ensemble, and which catalogue item each of its columns is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from recommender.algorithms.ensemble import Ensemble
from recommender.types import DataError

_ITEMS = "items.safetensors"


@dataclass(frozen=True, slots=True)
class Bundle:
    """`item_no[i]` is the catalogue number of the ensemble's item i."""

    ensemble: Ensemble
    item_no: NDArray[np.int32]

    def to_files(self) -> dict[str, bytes]:
        return {**self.ensemble.to_files(), _ITEMS: save({"item_no": self.item_no})}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Bundle:
        """Raises DataError when the files do not belong together."""
        if _ITEMS not in files:
            raise DataError("The table of items is missing.")
        ensemble = Ensemble.from_files({name: files[name] for name in files if name != _ITEMS})
        item_no = load(files[_ITEMS])["item_no"]
        if item_no.size != ensemble.items:
            raise DataError("The table of items has another length than the model.")
        return cls(ensemble, item_no)
