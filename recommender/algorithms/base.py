"""What every algorithm can do. The base class checks and maps; a subclass only computes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np
from safetensors.numpy import load as tensors_from_bytes
from safetensors.numpy import save as tensors_to_bytes

from recommender.dataset import Dataset
from recommender.types import CannotFit, DataError, Floats, Histories, Ints, Longs, Recommendations

FORMAT = 1
Config = TypeVar("Config")
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


class Recommender(ABC, Generic[Config]):
    """One learned model over items 0..items-1.

    A history is item numbers oldest first; unknown numbers in it are ignored. All randomness comes from the
    generator given to fit: same data, same generator state, same model. `note` is what the reader of its figures
    should know, set while fitting."""

    name: ClassVar[str]
    config_type: ClassVar[type[Any]]
    rows_at_once: ClassVar[int] = 1024

    def __init__(self, config: Config | None = None) -> None:
        self.config: Config = self.config_type() if config is None else config
        self.items = 0
        self.note = ""
        self._stored: Arrays | None = None

    def fit(self, data: Dataset, rng: np.random.Generator) -> None:
        """Learns from all events of `data`. Raises CannotFit where they are not enough."""
        if data.items == 0:
            raise CannotFit("there are no items")
        self.items = data.items
        self._stored = None
        self._fit(data, rng)

    def refit(self, data: Dataset, rng: np.random.Generator) -> None:
        """Learns again from data that extends what was learned from, over the same catalogue."""
        self.fit(data, rng)

    def score(self, histories: Histories) -> Floats:
        """float32 (len(histories), items), finite, greater is better; seen items are scored like others."""
        known = histories.known(self.items)
        out = np.empty((len(histories), self.items), np.float32)
        for rows, part in known.split(self.rows_at_once):
            out[rows] = self._score(part)
        return out

    def score_one(self, history: Ints, weight: Floats | None = None) -> Floats:
        """float32 (items) for one history: the quick path of serving, equal to score() up to rounding."""
        return self.score_known(Histories.one(history, weight).known(self.items))

    def score_known(self, history: Histories) -> Floats:
        """The same for one row without unknown items and immediate repetitions, for who asks several models."""
        return self._score_one(history)

    def recommend(self, histories: Histories, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """The k best items of each history; -1 with score -inf where fewer than k exist."""
        known = histories.known(self.items)
        answer = empty_answer(len(histories), k)
        for rows, part in known.split(self.rows_at_once):
            scores = self.score(part)
            if exclude_seen:
                scores[part.owners(), part.item] = -np.inf
            best = top_k(scores, k)
            answer.items[rows], answer.scores[rows] = best.items, best.scores
        return answer

    def similar_items(self, items: Ints, k: int) -> Recommendations:
        """The k items nearest to each given item, never itself. Raises DataError for an unknown number."""
        if len(items) and (int(items.min()) < 0 or int(items.max()) >= self.items):
            raise DataError("An item number lies outside the catalogue.")
        scores = self._similarity(items)
        scores[np.arange(len(items)), items] = -np.inf
        return top_k(scores, k)

    def to_files(self) -> dict[str, bytes]:
        """The learned state by file name: safetensors, JSON and, for networks, ONNX."""
        head = {"format": FORMAT, "algorithm": self.name, "items": self.items, "config": self._settings()}
        files = {"manifest.json": json.dumps(head, sort_keys=True).encode()}
        arrays = self._arrays() if self._stored is None else self._stored
        if arrays:
            files["arrays.safetensors"] = tensors_to_bytes(
                {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            )
        return files | self._extra_files()

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Recommender[Config]:
        """The model that to_files() wrote. Raises DataError for files of another algorithm or format."""
        head = json.loads(files["manifest.json"])
        if head.get("algorithm") != cls.name or head.get("format") != FORMAT:
            raise DataError(f"These files do not hold a model of the kind {cls.name}.")
        model = cls(cls.config_type(**head["config"]))
        model.items = int(head["items"])
        arrays = tensors_from_bytes(files["arrays.safetensors"]) if "arrays.safetensors" in files else {}
        model._restore(arrays, files)
        return model

    def compressed(self) -> Recommender[Config]:
        """What is served in its place: the same model in fewer bytes, scoring nearly alike.

        It learns nothing further; what is lost is for evaluation.compression to measure."""
        small = type(self)(self.config)
        small.items, small.note = self.items, self.note
        stored = self._narrowed(self._arrays())
        small._restore(stored, self._extra_files())
        small._stored = stored
        return small

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.to_files().items():
            (folder / name).write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> Recommender[Config]:
        return cls.from_files(
            {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
        )

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = asdict(cast(Any, self.config))
        return settings

    @abstractmethod
    def _fit(self, data: Dataset, rng: np.random.Generator, /) -> None: ...

    @abstractmethod
    def _score(self, histories: Histories) -> Floats: ...

    def _score_one(self, history: Histories, /) -> Floats:
        scores: Floats = self._score(history)[0]
        return scores

    @abstractmethod
    def _similarity(self, items: Ints) -> Floats: ...

    @abstractmethod
    def _arrays(self) -> Arrays: ...

    def _narrowed(self, arrays: Arrays) -> Arrays:
        """The arrays in fewer bytes, as _restore() reads them; as they are where nothing is to gain."""
        return arrays

    def _extra_files(self) -> dict[str, bytes]:
        return {}

    @abstractmethod
    def _restore(self, arrays: Arrays, files: Mapping[str, bytes], /) -> None: ...


def empty_answer(rows: int, k: int) -> Recommendations:
    return Recommendations(np.full((rows, k), -1, np.int32), np.full((rows, k), -np.inf, np.float32))


def top_k(scores: Floats, k: int) -> Recommendations:
    """The k greatest of each row, best first, ties by lower number; -1 and -inf where none is left."""
    rows, items = scores.shape
    answer = empty_answer(rows, k)
    width = min(k, items)
    if rows == 0 or width == 0:
        return answer
    chosen = _candidates(scores, width)
    values = np.take_along_axis(scores, chosen, axis=1)
    order = np.lexsort((chosen, -values), axis=1)
    chosen, values = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(values, order, axis=1)
    answer.items[:, :width] = np.where(np.isfinite(values), chosen, -1)
    answer.scores[:, :width] = values
    return answer


def _candidates(scores: Floats, width: int) -> Longs:
    if width == scores.shape[1]:
        return np.broadcast_to(np.arange(width), scores.shape).astype(np.int64)
    return np.argpartition(scores, -width, axis=1)[:, -width:].astype(np.int64)
