"""The interface of all models: the base class checks arguments and maps files, a subclass only computes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar, cast

import numpy as np
from safetensors.numpy import load as tensors_from_bytes
from safetensors.numpy import save as tensors_to_bytes

from recommender.dataset import Dataset
from recommender.types import (
    DataError,
    Float32Array,
    Histories,
    InsufficientDataError,
    Int32Array,
    Int64Array,
    Recommendations,
)

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
ARRAYS_FILE = "arrays.safetensors"
ContentKind = Literal["text", "image", "triples", "reviews"]
ConfigT = TypeVar("ConfigT")
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


class Recommender(ABC, Generic[ConfigT]):
    """A model that scores all items 0..items-1 for histories of items.

    A history lists item numbers, oldest first; numbers outside the catalogue are ignored. All randomness comes from
    the generator passed to `fit`: the same data and generator state give the same model. `fit_note` is set while
    fitting, for the reader of the training report.
    """

    # Stored in artefacts and in blend weights: renaming a model makes its stored versions unreadable.
    name: ClassVar[str]
    # English; the portal translates it.
    label: ClassVar[str]
    config_type: ClassVar[type[Any]]
    # Fitting time as a multiple of SASRec's, for progress reports and search budgets.
    relative_cost: ClassVar[float]
    # Whether permuting a history changes its scores for more than the recency weights.
    reads_order: ClassVar[bool] = False
    # Item data that the model reads besides events.
    reads_content: ClassVar[frozenset[ContentKind]] = frozenset()
    # Whether scores depend on which items the same users chose.
    uses_behaviour: ClassVar[bool] = True
    # Whether every item gets a score on the model's scale, so that zero does not mean "no evidence".
    places_every_item: ClassVar[bool] = False
    # Histories scored at once; bounds the memory of intermediate arrays.
    batch_size: ClassVar[int] = 1024

    def __init__(self, config: ConfigT | None = None) -> None:
        self.config: ConfigT = self.config_type() if config is None else config
        self.items = 0
        self.fit_note = ""
        # Arrays as they were quantised; kept so that saving a quantised model does not quantise twice.
        self._serialized_arrays: Arrays | None = None

    def fit(
        self,
        data: Dataset,
        rng: np.random.Generator,
    ) -> None:
        """Fits the model on all events of `data`, discarding any earlier fit.

        Raises:
            InsufficientDataError: The data is not enough for this model; the message gives the reason.
        """
        if data.n_items == 0:
            raise InsufficientDataError("there are no items")
        self.items = data.n_items
        self._serialized_arrays = None
        self._fit(data, rng)

    def fit_partial(
        self,
        data: Dataset,
        rng: np.random.Generator,
    ) -> None:
        """Updates the model with data that extends the data of the last fit, over the same catalogue.

        Refits from scratch unless a subclass can continue.
        """
        self.fit(data, rng)

    def score(self, histories: Histories) -> Float32Array:
        """Scores all items: float32 (len(histories), items), finite, greater is better.

        Items of the history are scored like others.
        """
        clean = histories.drop_unknown_and_repeats(self.items)
        scores = np.empty((len(histories), self.items), np.float32)
        for rows, batch in clean.iter_chunks(self.batch_size):
            scores[rows] = self._score_batch(batch)
        return scores

    def score_history(
        self,
        history: Int32Array,
        weight: Float32Array | None = None,
    ) -> Float32Array:
        """Scores all items for one history: float32 (items), equal to `score` up to rounding.

        Args:
            history: Item numbers, oldest first.
            weight: Strength of each event; ones if omitted.
        """
        row = Histories.from_single(history, weight)
        return self.score_clean_history(row.drop_unknown_and_repeats(self.items))

    def score_clean_history(self, history: Histories, /) -> Float32Array:
        """Scores one row from which `drop_unknown_and_repeats` has removed events: float32 (items).

        Subclasses override it where a single history has a quicker path than a batch of one.
        """
        scores: Float32Array = self._score_batch(history)[0]
        return scores

    def recommend(
        self,
        histories: Histories,
        k: int,
        *,
        exclude_seen: bool = True,
    ) -> Recommendations:
        """Returns the k best items of each history; item -1 with score -inf where fewer than k exist."""
        clean = histories.drop_unknown_and_repeats(self.items)
        recommendations = create_empty_recommendations(len(histories), k)
        for rows, batch in clean.iter_chunks(self.batch_size):
            scores = self.score(batch)
            if exclude_seen:
                scores[batch.row_ids(), batch.item] = -np.inf
            best = top_k(scores, k)
            recommendations.items[rows] = best.items
            recommendations.scores[rows] = best.scores
        return recommendations

    def find_similar_items(
        self,
        items: Int32Array,
        k: int,
    ) -> Recommendations:
        """Returns the k most similar items of each item, without the item itself.

        Raises:
            DataError: An item number is outside the catalogue.
        """
        if len(items) and (int(items.min()) < 0 or int(items.max()) >= self.items):
            raise DataError("An item number lies outside the catalogue.")
        similarities = self._compute_similarities(items)
        similarities[np.arange(len(items)), items] = -np.inf
        return top_k(similarities, k)

    def to_files(self) -> dict[str, bytes]:
        """Serialises the model: file contents by name, as JSON, safetensors and, for networks, ONNX."""
        manifest = {
            "format": FORMAT_VERSION,
            "algorithm": self.name,
            "items": self.items,
            "config": asdict(cast(Any, self.config)),
        }
        files = {MANIFEST_FILE: json.dumps(manifest, sort_keys=True).encode()}
        arrays = self._serialized_arrays
        if arrays is None:
            arrays = self._to_arrays()
        if arrays:
            # safetensors writes the memory as it is, so strided views have to be copied.
            contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            files[ARRAYS_FILE] = tensors_to_bytes(contiguous)
        return files | self._build_extra_files()

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Recommender[ConfigT]:
        """Restores a model from the files of `to_files`.

        Raises:
            DataError: The files hold another model or another format version.
        """
        manifest = json.loads(files[MANIFEST_FILE])
        if manifest.get("algorithm") != cls.name or manifest.get("format") != FORMAT_VERSION:
            raise DataError(f"These files do not hold a model of the kind {cls.name}.")
        model = cls(cls.config_type(**manifest["config"]))
        model.items = int(manifest["items"])
        arrays = {}
        if ARRAYS_FILE in files:
            arrays = tensors_from_bytes(files[ARRAYS_FILE])
        model._restore_state(arrays, files)
        return model

    def quantize(self) -> Recommender[ConfigT]:
        """Returns a copy for serving whose arrays take fewer bytes and whose scores differ by rounding only.

        The copy can't be fitted further. `fitting.quantization` measures what the rounding costs.
        """
        quantized = type(self)(self.config)
        quantized.items = self.items
        quantized.fit_note = self.fit_note
        arrays = self._quantize_arrays(self._to_arrays())
        quantized._restore_state(arrays, self._build_extra_files())
        quantized._serialized_arrays = arrays
        return quantized

    def save(self, folder: Path) -> None:
        """Writes the files of `to_files` into the folder, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.to_files().items():
            (folder / name).write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> Recommender[ConfigT]:
        """Restores a model from a folder written by `save`. Raises DataError as `from_files` does."""
        paths = [path for path in sorted(folder.iterdir()) if path.is_file()]
        return cls.from_files({path.name: path.read_bytes() for path in paths})

    @abstractmethod
    def _fit(self, data: Dataset, rng: np.random.Generator, /) -> None: ...

    @abstractmethod
    def _score_batch(self, histories: Histories) -> Float32Array:
        """Scores clean histories: float32 (len(histories), items)."""

    @abstractmethod
    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        """Computes float32 (len(items), self.items), -inf for items that can't be compared; may be overwritten."""

    @abstractmethod
    def _to_arrays(self) -> Arrays:
        """Returns the fitted state by array name."""

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        """Returns the arrays in fewer bytes, readable by `_restore_state`; unchanged where nothing is saved."""
        return arrays

    def _build_extra_files(self) -> dict[str, bytes]:
        """Returns the part of the state that is no array, by file name."""
        return {}

    @abstractmethod
    def _restore_state(self, arrays: Arrays, files: Mapping[str, bytes], /) -> None:
        """Sets the fitted state from what `_to_arrays` and `_build_extra_files` returned."""


def create_empty_recommendations(
    n_rows: int,
    k: int,
) -> Recommendations:
    """Returns recommendations of shape (n_rows, k) without any item: -1 with score -inf."""
    items = np.full((n_rows, k), -1, np.int32)
    scores = np.full((n_rows, k), -np.inf, np.float32)
    return Recommendations(items, scores)


def top_k(
    scores: Float32Array,
    k: int,
) -> Recommendations:
    """Returns the k greatest of each row, best first, ties by lower item number; -1 and -inf where none is left."""
    n_rows, n_items = scores.shape
    recommendations = create_empty_recommendations(n_rows, k)
    width = min(k, n_items)
    if n_rows == 0 or width == 0:
        return recommendations
    candidates = _select_candidates(scores, width)
    candidate_scores = np.take_along_axis(scores, candidates, axis=1)
    # lexsort sorts by its last key first: by falling score, then by item number.
    order = np.lexsort((candidates, -candidate_scores), axis=1)
    candidates = np.take_along_axis(candidates, order, axis=1)
    candidate_scores = np.take_along_axis(
        candidate_scores,
        order,
        axis=1,
    )
    recommendations.items[:, :width] = np.where(np.isfinite(candidate_scores), candidates, -1)
    recommendations.scores[:, :width] = candidate_scores
    return recommendations


def _select_candidates(
    scores: Float32Array,
    width: int,
) -> Int64Array:
    """Returns the columns of the `width` greatest scores of each row, in no order: int64 (rows, width)."""
    if width == scores.shape[1]:
        return np.broadcast_to(np.arange(width), scores.shape).astype(np.int64)
    return np.argpartition(scores, -width, axis=1)[:, -width:].astype(np.int64)
