"""What every algorithm can do. The base class checks and maps; a subclass only computes."""

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
ContentKind = Literal["text", "image", "triples", "reviews"]
ConfigT = TypeVar("ConfigT")
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


class Recommender(ABC, Generic[ConfigT]):
    """One learned model over items 0..items-1.

    A history is item numbers oldest first; unknown numbers in it are ignored. All randomness comes from the
    generator given to fit: same data, same generator state, same model. `note` is what the reader of its figures
    should know, set while fitting."""

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
    batch_size: ClassVar[int] = 1024

    def __init__(self, config: ConfigT | None = None) -> None:
        self.config: ConfigT = self.config_type() if config is None else config
        self.items = 0
        self.fit_note = ""
        self._serialized_arrays: Arrays | None = None

    def fit(self, data: Dataset, rng: np.random.Generator) -> None:
        """Learns from all events of `data`. Raises CannotFit where they are not enough."""
        if data.n_items == 0:
            raise InsufficientDataError("there are no items")
        self.items = data.n_items
        self._serialized_arrays = None
        self._fit(data, rng)

    def fit_partial(self, data: Dataset, rng: np.random.Generator) -> None:
        """Learns again from data that extends what was learned from, over the same catalogue."""
        self.fit(data, rng)

    def score(self, histories: Histories) -> Float32Array:
        """float32 (len(histories), items), finite, greater is better; seen items are scored like others."""
        known = histories.drop_unknown_and_repeats(self.items)
        out = np.empty((len(histories), self.items), np.float32)
        for rows, part in known.iter_chunks(self.batch_size):
            out[rows] = self._score_batch(part)
        return out

    def score_history(self, history: Int32Array, weight: Float32Array | None = None) -> Float32Array:
        """float32 (items) for one history: the quick path of serving, equal to score() up to rounding."""
        return self.score_clean_history(
            Histories.from_single(history, weight).drop_unknown_and_repeats(self.items)
        )

    def score_clean_history(self, history: Histories) -> Float32Array:
        """The same for one row without unknown items and immediate repetitions, for who asks several models."""
        return self._score_history(history)

    def recommend(self, histories: Histories, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """The k best items of each history; -1 with score -inf where fewer than k exist."""
        known = histories.drop_unknown_and_repeats(self.items)
        answer = create_empty_recommendations(len(histories), k)
        for rows, part in known.iter_chunks(self.batch_size):
            scores = self.score(part)
            if exclude_seen:
                scores[part.row_ids(), part.item] = -np.inf
            best = top_k(scores, k)
            answer.items[rows], answer.scores[rows] = best.items, best.scores
        return answer

    def find_similar_items(self, items: Int32Array, k: int) -> Recommendations:
        """The k items nearest to each given item, never itself. Raises DataError for an unknown number."""
        if len(items) and (int(items.min()) < 0 or int(items.max()) >= self.items):
            raise DataError("An item number lies outside the catalogue.")
        scores = self._compute_similarities(items)
        scores[np.arange(len(items)), items] = -np.inf
        return top_k(scores, k)

    def to_files(self) -> dict[str, bytes]:
        """The learned state by file name: safetensors, JSON and, for networks, ONNX."""
        head = {
            "format": FORMAT_VERSION,
            "algorithm": self.name,
            "items": self.items,
            "config": self._serialize_config(),
        }
        files = {"manifest.json": json.dumps(head, sort_keys=True).encode()}
        arrays = self._to_arrays() if self._serialized_arrays is None else self._serialized_arrays
        if arrays:
            files["arrays.safetensors"] = tensors_to_bytes(
                {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            )
        return files | self._build_extra_files()

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Recommender[ConfigT]:
        """The model that to_files() wrote. Raises DataError for files of another algorithm or format."""
        head = json.loads(files["manifest.json"])
        if head.get("algorithm") != cls.name or head.get("format") != FORMAT_VERSION:
            raise DataError(f"These files do not hold a model of the kind {cls.name}.")
        model = cls(cls.config_type(**head["config"]))
        model.items = int(head["items"])
        arrays = tensors_from_bytes(files["arrays.safetensors"]) if "arrays.safetensors" in files else {}
        model._restore_state(arrays, files)
        return model

    def quantize(self) -> Recommender[ConfigT]:
        """What is served in its place: the same model in fewer bytes, scoring nearly alike.

        It learns nothing further; what is lost is for evaluation.compression to measure."""
        small = type(self)(self.config)
        small.items, small.fit_note = self.items, self.fit_note
        stored = self._quantize_arrays(self._to_arrays())
        small._restore_state(stored, self._build_extra_files())
        small._serialized_arrays = stored
        return small

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.to_files().items():
            (folder / name).write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> Recommender[ConfigT]:
        return cls.from_files(
            {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
        )

    def _serialize_config(self) -> dict[str, Any]:
        settings: dict[str, Any] = asdict(cast(Any, self.config))
        return settings

    @abstractmethod
    def _fit(self, data: Dataset, rng: np.random.Generator, /) -> None: ...

    @abstractmethod
    def _score_batch(self, histories: Histories) -> Float32Array: ...

    def _score_history(self, history: Histories, /) -> Float32Array:
        scores: Float32Array = self._score_batch(history)[0]
        return scores

    @abstractmethod
    def _compute_similarities(self, items: Int32Array) -> Float32Array: ...

    @abstractmethod
    def _to_arrays(self) -> Arrays: ...

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        """The arrays in fewer bytes, as _restore() reads them; as they are where nothing is to gain."""
        return arrays

    def _build_extra_files(self) -> dict[str, bytes]:
        return {}

    @abstractmethod
    def _restore_state(self, arrays: Arrays, files: Mapping[str, bytes], /) -> None: ...


def create_empty_recommendations(n_rows: int, k: int) -> Recommendations:
    return Recommendations(np.full((n_rows, k), -1, np.int32), np.full((n_rows, k), -np.inf, np.float32))


def top_k(scores: Float32Array, k: int) -> Recommendations:
    """The k greatest of each row, best first, ties by lower number; -1 and -inf where none is left."""
    rows, items = scores.shape
    answer = create_empty_recommendations(rows, k)
    width = min(k, items)
    if rows == 0 or width == 0:
        return answer
    chosen = _select_candidates(scores, width)
    values = np.take_along_axis(scores, chosen, axis=1)
    order = np.lexsort((chosen, -values), axis=1)
    chosen, values = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(values, order, axis=1)
    answer.items[:, :width] = np.where(np.isfinite(values), chosen, -1)
    answer.scores[:, :width] = values
    return answer


def _select_candidates(scores: Float32Array, width: int) -> Int64Array:
    if width == scores.shape[1]:
        return np.broadcast_to(np.arange(width), scores.shape).astype(np.int64)
    return np.argpartition(scores, -width, axis=1)[:, -width:].astype(np.int64)
