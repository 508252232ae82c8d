"""The content of a model artefact: the ensemble, its item numbers and the review summaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.language.reviews.summary import EMPTY_SUMMARY_TABLE, ReviewSummaryTable
from recommender.types import DataError

_ITEMS = "items.safetensors"
_REVIEW_SUMMARIES = "review_summaries.safetensors"


@dataclass(
    frozen=True,
    slots=True,
)
class Bundle:
    """`item_numbers[i]` is the catalogue number of the ensemble's item i, ascending."""

    ensemble: Ensemble
    item_numbers: NDArray[np.int32]
    review_summaries: ReviewSummaryTable = EMPTY_SUMMARY_TABLE

    def to_files(self) -> dict[str, bytes]:
        """File contents by name; without review summaries there is no file of them."""
        files = {**self.ensemble.to_files(), _ITEMS: save({"item_no": self.item_numbers})}
        if len(self.review_summaries):
            files[_REVIEW_SUMMARIES] = self.review_summaries.to_bytes()
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Bundle:
        """Raises DataError if files are missing or do not belong together."""
        ensemble_files = dict(files)
        item_file = ensemble_files.pop(_ITEMS, None)
        summaries_file = ensemble_files.pop(_REVIEW_SUMMARIES, None)
        if item_file is None:
            raise DataError("The table of items is missing.")
        ensemble = Ensemble.from_files(ensemble_files)
        item_numbers = load(item_file)["item_no"]
        if item_numbers.size != ensemble.items:
            raise DataError("The table of items has another length than the model.")
        if summaries_file is None:
            return cls(ensemble, item_numbers)
        return cls(ensemble, item_numbers, ReviewSummaryTable.from_bytes(summaries_file))
