"""Several fitted models and their blend as one model to save, load and serve. No torch."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender, create_empty_recommendations, top_k
from recommender.algorithms.common.memory_usage import measure_memory_bytes
from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.registry import MODEL_REGISTRY
from recommender.algorithms.ensemble.reranker import GradientBoostedReranker
from recommender.numeric import scale_to_z_scores
from recommender.types import DataError, Float32Array, Histories, Int32Array, Recommendations

FORMAT_VERSION = 1
MANIFEST_FILE = "ensemble.json"
RERANKER_FILE = "reranker.onnx"
# Histories scored at once: each model's scores of a batch are held at the same time.
_BATCH_SIZE = 1024


@dataclass(frozen=True)
class Ensemble:
    """Fitted models over the same items and the weights of their blend.

    items: Number of items.
    training_report: Figures measured while fitting, in JSON terms.
    reranker: Reorders the best candidates of the blend, if present.
    """

    models: Mapping[str, Recommender[Any]]
    blend: Blend
    items: int
    training_report: Mapping[str, Any] = field(default_factory=dict)
    reranker: GradientBoostedReranker | None = None

    def score(self, histories: Histories) -> Float32Array:
        """Scores all items by the reranked blend: float32 (len(histories), items)."""
        clean = histories.drop_unknown_and_repeats(self.items)
        scores = np.empty((len(histories), self.items), np.float32)
        for rows, batch in clean.iter_chunks(_BATCH_SIZE):
            z_scores = {}
            for name in self._list_active_models():
                z_scores[name] = scale_to_z_scores(self.models[name].score(batch))
            scores[rows] = self.combine(z_scores, batch)
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
        row = self.clean_history(history, weight)
        model_scores = self.model_scores(row)
        z_scores = {name: scale_to_z_scores(scores) for name, scores in model_scores.items()}
        combined: Float32Array = self.combine(z_scores, row)[0]
        return combined

    def clean_history(
        self,
        history: Int32Array,
        weight: Float32Array | None = None,
    ) -> Histories:
        """Returns the history as one row without unknown items and immediate repeats."""
        return Histories.from_single(history, weight).drop_unknown_and_repeats(self.items)

    def model_scores(self, history: Histories) -> dict[str, Float32Array]:
        """Scores one history by each model with a nonzero weight.

        Args:
            history: One row, from `clean_history`.

        Returns:
            By model name float32 (1, items), each on its model's own scale. The caller may overwrite the arrays.
        """
        return {
            name: self.models[name].score_clean_history(history)[None] for name in self._list_active_models()
        }

    def combine(
        self,
        z_scores: Mapping[str, Float32Array],
        histories: Histories,
    ) -> Float32Array:
        """Blends and reranks standardised scores.

        Args:
            z_scores: By model name float32 (len(histories), items); not changed.
            histories: Clean histories that the scores belong to.

        Returns:
            float32 (len(histories), items).
        """
        blended = self.blend.sum_weighted(z_scores)
        if self.reranker is not None:
            self.reranker.rerank(blended, z_scores, histories)
        return blended

    def prune_models(self, keep: Collection[str] = ()) -> Ensemble:
        """Returns the ensemble without the models of weight zero, except those named in `keep`."""
        kept_names = {*self._list_active_models(), *keep}
        models = {name: model for name, model in self.models.items() if name in kept_names}
        weights = {name: weight for name, weight in self.blend.weights.items() if name in models}
        return replace(
            self,
            models=models,
            blend=Blend(weights),
        )

    def recommend(
        self,
        histories: Histories,
        k: int,
        *,
        exclude_seen: bool = True,
    ) -> Recommendations:
        """Returns the k best items of each history, as `Recommender.recommend`."""
        clean = histories.drop_unknown_and_repeats(self.items)
        recommendations = create_empty_recommendations(len(histories), k)
        for rows, batch in clean.iter_chunks(_BATCH_SIZE):
            scores = self.score(batch)
            if exclude_seen:
                scores[batch.row_ids(), batch.item] = -np.inf
            best = top_k(scores, k)
            recommendations.items[rows] = best.items
            recommendations.scores[rows] = best.scores
        return recommendations

    def _list_active_models(self) -> list[str]:
        return [name for name, weight in self.blend.weights.items() if weight != 0 and name in self.models]

    @cached_property
    def memory_bytes(self) -> int:
        """Memory of the models' arrays after loading."""
        return measure_memory_bytes(dict(self.models))

    def to_files(self) -> dict[str, bytes]:
        """Serialises the ensemble: file contents by path, those of a model below a folder of its name."""
        manifest: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "items": self.items,
            "models": list(self.models),
            "weights": dict(self.blend.weights),
            "training_report": dict(self.training_report),
        }
        files = {}
        if self.reranker is not None:
            manifest["reranker"] = {
                "models": list(self.reranker.model_names),
                "logit_weight": self.reranker.logit_weight,
            }
            files[RERANKER_FILE] = self.reranker.trees
        files[MANIFEST_FILE] = json.dumps(manifest).encode()
        for name, model in self.models.items():
            for file_name, content in model.to_files().items():
                files[f"{name}/{file_name}"] = content
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Ensemble:
        """Restores an ensemble from the files of `to_files`.

        Raises:
            DataError: The files hold no ensemble or another format version, or a model or the reranker is missing.
        """
        if MANIFEST_FILE not in files:
            raise DataError("These files do not hold an ensemble.")
        manifest = json.loads(files[MANIFEST_FILE])
        if manifest.get("format") != FORMAT_VERSION:
            raise DataError("This ensemble was written in a format that this version does not read.")
        return cls(
            models={name: _load_model(name, files) for name in manifest["models"]},
            blend=Blend(manifest["weights"]),
            items=int(manifest["items"]),
            training_report=manifest["training_report"],
            reranker=_load_reranker(manifest.get("reranker"), files),
        )

    def save(self, folder: Path) -> None:
        """Writes the files of `to_files` below the folder, which is created."""
        for name, content in self.to_files().items():
            path = folder / name
            path.parent.mkdir(
                parents=True,
                exist_ok=True,
            )
            path.write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> Ensemble:
        """Restores an ensemble from a folder written by `save`. Raises DataError as `from_files` does."""
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return cls.from_files({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})


def _load_reranker(
    manifest: Mapping[str, Any] | None,
    files: Mapping[str, bytes],
) -> GradientBoostedReranker | None:
    if manifest is None:
        return None
    if RERANKER_FILE not in files:
        raise DataError("The trees of the reranker are missing.")
    return GradientBoostedReranker(
        model_names=tuple(manifest["models"]),
        logit_weight=float(manifest["logit_weight"]),
        trees=files[RERANKER_FILE],
    )


def _load_model(
    name: str,
    files: Mapping[str, bytes],
) -> Recommender[Any]:
    if name not in MODEL_REGISTRY:
        raise DataError(f"This version has no model {name!r}.")
    prefix = f"{name}/"
    model_files = {}
    for path, content in files.items():
        if path.startswith(prefix):
            model_files[path.removeprefix(prefix)] = content
    if not model_files:
        raise DataError(f"The files of the model {name!r} are missing.")
    return MODEL_REGISTRY[name].from_files(model_files)
