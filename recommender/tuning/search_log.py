"""All trials of a search as JSON, so that an interrupted search can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

from recommender.dataset import Split

TrialStage = Literal["defaults", "previous", "inference", "training"]


class TrialRecord(TypedDict):
    """One trial.

    stage: which step of the search made it.
    overrides: hyper-parameters that differ from the defaults.
    ndcg: on the search half of the cases; missing where the trial was pruned.
    held_out_ndcg: on the held-out half, where the trial was the best so far; else None.
    pruned: whether the trial was stopped early.
    """

    stage: TrialStage
    overrides: dict[str, Any]
    ndcg: NotRequired[float]
    held_out_ndcg: float | None
    pruned: bool


def ignore_checkpoint(_checkpoint: Mapping[str, Any]) -> None:
    """The `on_trial` of a log that is not stored."""


@dataclass
class SearchLog:
    """Trials by model name.

    data_description: identifies the events; trials on other events cannot be compared.
    spent_seconds: duration of the search so far.
    on_trial: called after each trial with the checkpoint to store.
    """

    data_description: str = ""
    spent_seconds: float = 0.0
    trials_by_model: dict[str, list[TrialRecord]] = field(default_factory=dict)
    on_trial: Callable[[Mapping[str, Any]], None] = ignore_checkpoint

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Mapping[str, Any], on_trial: Callable[[Mapping[str, Any]], None]
    ) -> SearchLog:
        """Restores a log from `to_checkpoint`; an empty mapping gives an empty log."""
        trials_by_model = {}
        for name, trials in (checkpoint.get("models") or {}).items():
            trials_by_model[name] = list(trials)
        return cls(
            data_description=str(checkpoint.get("data_description", "")),
            spent_seconds=float(checkpoint.get("spent_seconds", 0.0)),
            trials_by_model=trials_by_model,
            on_trial=on_trial,
        )

    def to_checkpoint(self) -> dict[str, Any]:
        """The log as JSON."""
        return {
            "data_description": self.data_description,
            "spent_seconds": self.spent_seconds,
            "models": self.trials_by_model,
        }

    def reset_if_other_data(self, split: Split) -> None:
        """Removes all trials if they were made on other data than the split's."""
        data_description = f"{split.train.describe_size()}, {len(split):,} cases"
        if self.data_description != data_description:
            self.data_description = data_description
            self.spent_seconds = 0.0
            self.trials_by_model = {}
