"""The metrics of a model version, as stored in `ModelVersion.metrics`.

`VersionMetrics` lists every key. Training writes it; the API returns the stored JSON, and the portal, the commands and the refresh
schedule read it through `VersionView.parsed_metrics`. Metrics are stored unencrypted and hold no text of a tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

ServingMode = Literal["model", "popularity"]


class TrainingDataSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the version was trained on.

    `events_stored` counts all stored events; `events_skipped` counts by reason those that were not used; `cleaning` is the
    report of the cleaning rules.
    """

    profiles: int = 0
    items: int = 0
    events: int = 0
    events_stored: int = 0
    events_skipped: dict[str, int] = {}
    cleaning: dict[str, Any] = {}


class ReviewCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Reviews that were stored and read, reviews skipped by reason, and the items and aspects that have a summary."""

    stored: int = 0
    read: int = 0
    skipped: dict[str, int] = {}
    items: int = 0
    aspects: int = 0


class FullTraining(msgspec.Struct, frozen=True, kw_only=True):
    """The last training from scratch: its time in ISO 8601, and the number of events that were stored then."""

    at: str
    events_stored: int = 0


class VersionMetrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All metrics of one version. Keys with their default value are not stored.

    Attributes:
        serving_mode: "model", or "popularity" if the gate refused the model and popularity serves instead; None in rows
            without this key.
        protocol: "time-split" or "leave-last-out"; None if nothing could be held out.
        k: the cut-off of the ranking metrics below.
        cases: the number of held-out cases.
        candidate: ranking metrics of this version, such as "ndcg@10", "recall@10", "coverage@10".
        popularity: the same of the popularity baseline.
        live: the same of the version that was active; "fair" says whether it had not been trained on the cases.
        gate: comparisons of the promotion gate: "against_popularity", "against_live", "slices".
        settings: by model name, hyper-parameters that differ from the defaults.
        tuning: the report of a search for hyper-parameters.
        refreshed_from: the version that a refresh started from.
        full: the last training from scratch, if this was a refresh.
        weights: by model name, weights of the blend.
        validation: by model name, ranking metrics on the cases that the blend was fitted on.
        selection: which models were dropped from the ensemble and why.
        reranker: what reranking adds.
        quantization: file and memory sizes and nDCG before and after quantisation.
        models_skipped: by model name, why it could not be trained.
        seconds: by model name, training time.
        data: what the version was trained on.
        reviews: what reviews were read.
    """

    serving_mode: ServingMode | None = None
    protocol: str | None = None
    k: int = 10
    cases: int = 0
    candidate: dict[str, Any] = {}
    popularity: dict[str, Any] = {}
    live: dict[str, Any] = {}
    gate: dict[str, Any] = {}
    settings: dict[str, dict[str, Any]] = {}
    tuning: dict[str, Any] | None = None
    refreshed_from: int | None = None
    full: FullTraining | None = None
    weights: dict[str, float] = {}
    validation: dict[str, Any] | None = None
    selection: dict[str, Any] = {}
    reranker: dict[str, Any] = {}
    quantization: dict[str, Any] | None = None
    models_skipped: dict[str, str] = {}
    seconds: dict[str, float] = {}
    data: TrainingDataSummary = TrainingDataSummary()
    reviews: ReviewCounts = ReviewCounts()

    @classmethod
    def from_json(cls, metrics: Mapping[str, Any]) -> VersionMetrics:
        """Parses stored metrics; unknown keys are ignored. Raises msgspec.ValidationError for a value of another type."""
        return msgspec.convert(metrics, cls)

    def to_json(self) -> dict[str, Any]:
        """The JSON object to store."""
        encoded: dict[str, Any] = msgspec.to_builtins(self)
        return encoded
