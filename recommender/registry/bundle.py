"""What an artefact holds: the ensemble, and which catalogue item each of its columns is."""

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


@dataclass(frozen=True, slots=True)
class Bundle:
    """`item_no[i]` is the catalogue number of the ensemble's item i. `opinions` are what reviews say of items."""

    ensemble: Ensemble
    item_numbers: NDArray[np.int32]
    review_summaries: ReviewSummaryTable = EMPTY_SUMMARY_TABLE

    def to_files(self) -> dict[str, bytes]:
        files = {**self.ensemble.to_files(), _ITEMS: save({"item_no": self.item_numbers})}
        return (
            {**files, _REVIEW_SUMMARIES: self.review_summaries.to_bytes()}
            if len(self.review_summaries)
            else files
        )

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Bundle:
        """Raises DataError when the files do not belong together."""
        if _ITEMS not in files:
            raise DataError("The table of items is missing.")
        own = {name: content for name, content in files.items() if name not in (_ITEMS, _REVIEW_SUMMARIES)}
        ensemble = Ensemble.from_files(own)
        item_no = load(files[_ITEMS])["item_no"]
        if item_no.size != ensemble.items:
            raise DataError("The table of items has another length than the model.")
        opinions = (
            ReviewSummaryTable.from_bytes(files[_REVIEW_SUMMARIES])
            if _REVIEW_SUMMARIES in files
            else EMPTY_SUMMARY_TABLE
        )
        return cls(ensemble, item_no, opinions)
