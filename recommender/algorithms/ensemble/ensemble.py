"""The members and their blend as one model to save, load and serve. No torch."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender, top_k
from recommender.algorithms.common.memory_usage import measure_memory_bytes
from recommender.algorithms.common.score_blend import Blend, scale_to_z_scores
from recommender.algorithms.ensemble.registry import MODEL_REGISTRY
from recommender.algorithms.ensemble.reranker import GradientBoostedReranker
from recommender.types import DataError, Float32Array, Histories, Int32Array, Recommendations

_RERANKER_FILE = "reranker.onnx"


@dataclass(frozen=True)
class Ensemble:
    """Fitted members over the same items, their blend, and the card: what was measured while fitting.

    Where there is a ranker, it orders the first places of the blend."""

    models: Mapping[str, Recommender[Any]]
    blend: Blend
    items: int
    training_report: Mapping[str, Any] = field(default_factory=dict)
    reranker: GradientBoostedReranker | None = None

    def score(self, histories: Histories) -> Float32Array:
        """float32 (len(histories), items), the blend in the ranker's order."""
        known = histories.drop_unknown_and_repeats(self.items)
        out = np.empty((len(histories), self.items), np.float32)
        for rows, part in known.iter_chunks(1024):
            scores = {
                name: scale_to_z_scores(self.models[name].score(part)) for name in self._list_active_models()
            }
            out[rows] = self.combine_scores(scores, part)
        return out

    def combine_scores(self, scores: Mapping[str, Float32Array], histories: Histories) -> Float32Array:
        """The same from the members' standardised scores of these histories, without unknown items in them."""
        blended = self.blend.sum_weighted(scores)
        if self.reranker is not None:
            self.reranker.rerank(blended, scores, histories)
        return blended

    def score_history(self, history: Int32Array, weight: Float32Array | None = None) -> Float32Array:
        """float32 (items) for one history, oldest first."""
        row = Histories.from_single(history, weight).drop_unknown_and_repeats(self.items)
        return self._combine_row_scores(self._score_row_by_model(row), row)

    def combine_history_scores(self, scores: Mapping[str, Float32Array], history: Int32Array) -> Float32Array:
        """score_one() from member_scores(), which are overwritten with their standardised form."""
        return self._combine_row_scores(
            scores, Histories.from_single(history).drop_unknown_and_repeats(self.items)
        )

    def _combine_row_scores(self, scores: Mapping[str, Float32Array], row: Histories) -> Float32Array:
        found: Float32Array = self.combine_scores(
            {name: scale_to_z_scores(part)[None] for name, part in scores.items()}, row
        )[0]
        return found

    def prune_models(self, keep: Collection[str] = ()) -> Ensemble:
        """The same with those members only that count in the blend, or are named because they have other work."""
        kept = {
            name: self.models[name] for name in self.models if name in {*self._list_active_models(), *keep}
        }
        weights = {name: weight for name, weight in self.blend.weights.items() if name in kept}
        return replace(self, models=kept, blend=Blend(weights))

    def score_by_model(
        self, history: Int32Array, weight: Float32Array | None = None
    ) -> dict[str, Float32Array]:
        """float32 (items) of each blended member, unstandardised: the evidence behind an answer's reasons."""
        return self._score_row_by_model(
            Histories.from_single(history, weight).drop_unknown_and_repeats(self.items)
        )

    def _score_row_by_model(self, row: Histories) -> dict[str, Float32Array]:
        return {name: self.models[name].score_clean_history(row) for name in self._list_active_models()}

    def compute_contributions(self, scores: Mapping[str, Float32Array], item: int) -> dict[str, float]:
        """What each member adds to the blended score of one item, given fresh member_scores()."""
        return {
            name: float(scale_to_z_scores(part.copy())[item]) * self.blend.weights[name]
            for name, part in scores.items()
        }

    def recommend(self, histories: Histories, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """As Recommender.recommend, by the blend."""
        known = histories.drop_unknown_and_repeats(self.items)
        parts = []
        for _, part in known.iter_chunks(1024):
            scores = self.score(part)
            if exclude_seen:
                scores[part.row_ids(), part.item] = -np.inf
            parts.append(top_k(scores, k))
        parts = parts or [top_k(np.empty((0, self.items), np.float32), k)]
        return Recommendations(
            np.concatenate([part.items for part in parts]), np.concatenate([part.scores for part in parts])
        )

    def _list_active_models(self) -> list[str]:
        return [name for name in self.blend.weights if name in self.models and self.blend.weights[name] != 0]

    @cached_property
    def memory_bytes(self) -> int:
        """What its members' arrays take in memory when it has been loaded."""
        return measure_memory_bytes(dict(self.models))

    def to_files(self) -> dict[str, bytes]:
        """Content by name, `member/file` for the members' own; ensemble.json is the head."""
        head = {
            "format": 1,
            "items": self.items,
            "members": list(self.models),
            "weights": dict(self.blend.weights),
            "card": dict(self.training_report),
        }
        if self.reranker is not None:
            head["ranker"] = {"members": list(self.reranker.model_names), "mix": self.reranker.logit_weight}
        files = {"ensemble.json": json.dumps(head).encode()}
        if self.reranker is not None:
            files[_RERANKER_FILE] = self.reranker.trees
        for name, member in self.models.items():
            files |= {f"{name}/{file}": content for file, content in member.to_files().items()}
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Ensemble:
        """What to_files() wrote. Raises DataError for files of another format or with a member missing."""
        if "ensemble.json" not in files:
            raise DataError("These files do not hold an ensemble.")
        head = json.loads(files["ensemble.json"])
        if head.get("format") != 1:
            raise DataError("This ensemble was written in a format this version does not read.")
        members = {name: _load_model(name, files) for name in head["members"]}
        ranker = _load_reranker(head.get("ranker"), files)
        return cls(members, Blend(head["weights"]), int(head["items"]), head["card"], ranker)

    def save(self, folder: Path) -> None:
        for name, content in self.to_files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> Ensemble:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return cls.from_files({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})


def _load_reranker(
    manifest: Mapping[str, Any] | None, files: Mapping[str, bytes]
) -> GradientBoostedReranker | None:
    if manifest is None:
        return None
    if _RERANKER_FILE not in files:
        raise DataError("The trees of the second stage are missing.")
    return GradientBoostedReranker(tuple(manifest["members"]), float(manifest["mix"]), files[_RERANKER_FILE])


def _load_model(name: str, files: Mapping[str, bytes]) -> Recommender[Any]:
    if name not in MODEL_REGISTRY:
        raise DataError(f"This version does not know the member {name!r}.")
    own = {path.removeprefix(f"{name}/"): data for path, data in files.items() if path.startswith(f"{name}/")}
    if not own:
        raise DataError(f"The files of the member {name!r} are missing.")
    return MODEL_REGISTRY[name].from_files(own)
