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
from recommender.algorithms.blend import Blend, standardised
from recommender.algorithms.content import Content
from recommender.algorithms.convolutional import ConvolutionalScorer
from recommender.algorithms.ease import Ease
from recommender.algorithms.factors import FactorsScorer
from recommender.algorithms.features_model import FeaturesScorer
from recommender.algorithms.item_neighbours import ItemNeighbours
from recommender.algorithms.knowledge import Knowledge
from recommender.algorithms.look import Look
from recommender.algorithms.memory import held_bytes
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.ranker import Ranker
from recommender.algorithms.recent_popularity import RecentPopularity
from recommender.algorithms.recurrent import RecurrentScorer
from recommender.algorithms.reputation import Reputation
from recommender.algorithms.sequence import SequenceScorer
from recommender.algorithms.transitions import Transitions
from recommender.types import DataError, Floats, Histories, Ints, Recommendations

SERVED: Mapping[str, type[Recommender[Any]]] = {
    kind.name: kind
    for kind in (
        Popularity,
        RecentPopularity,
        Transitions,
        ItemNeighbours,
        Reputation,
        Ease,
        FactorsScorer,
        Content,
        Look,
        Knowledge,
        FeaturesScorer,
        SequenceScorer,
        RecurrentScorer,
        ConvolutionalScorer,
    )
}
_TREES = "second_stage.onnx"
# Members that read the order of a history; an item without behaviour has no place in them.
ORDERED = frozenset({SequenceScorer.name, RecurrentScorer.name, ConvolutionalScorer.name})


@dataclass(frozen=True)
class Ensemble:
    """Fitted members over the same items, their blend, and the card: what was measured while fitting.

    Where there is a ranker, it orders the first places of the blend."""

    members: Mapping[str, Recommender[Any]]
    blend: Blend
    items: int
    card: Mapping[str, Any] = field(default_factory=dict)
    ranker: Ranker | None = None

    def score(self, histories: Histories) -> Floats:
        """float32 (len(histories), items), the blend in the ranker's order."""
        known = histories.known(self.items)
        out = np.empty((len(histories), self.items), np.float32)
        for rows, part in known.split(1024):
            scores = {name: standardised(self.members[name].score(part)) for name in self._counted()}
            out[rows] = self.judged(scores, part)
        return out

    def judged(self, scores: Mapping[str, Floats], histories: Histories) -> Floats:
        """The same from the members' standardised scores of these histories, without unknown items in them."""
        blended = self.blend.add_up(scores)
        if self.ranker is not None:
            self.ranker.reorder(blended, scores, histories)
        return blended

    def score_one(self, history: Ints, weight: Floats | None = None) -> Floats:
        """float32 (items) for one history, oldest first."""
        row = Histories.one(history, weight).known(self.items)
        return self._judged_row(self._row_scores(row), row)

    def judged_one(self, scores: Mapping[str, Floats], history: Ints) -> Floats:
        """score_one() from member_scores(), which are overwritten with their standardised form."""
        return self._judged_row(scores, Histories.one(history).known(self.items))

    def _judged_row(self, scores: Mapping[str, Floats], row: Histories) -> Floats:
        found: Floats = self.judged({name: standardised(part)[None] for name, part in scores.items()}, row)[0]
        return found

    def served(self, beside: Collection[str] = ()) -> Ensemble:
        """The same with those members only that count in the blend, or are named because they have other work."""
        kept = {name: self.members[name] for name in self.members if name in {*self._counted(), *beside}}
        weights = {name: weight for name, weight in self.blend.weights.items() if name in kept}
        return replace(self, members=kept, blend=Blend(weights))

    def member_scores(self, history: Ints, weight: Floats | None = None) -> dict[str, Floats]:
        """float32 (items) of each blended member, unstandardised: the evidence behind an answer's reasons."""
        return self._row_scores(Histories.one(history, weight).known(self.items))

    def _row_scores(self, row: Histories) -> dict[str, Floats]:
        return {name: self.members[name].score_known(row) for name in self._counted()}

    def contributions(self, scores: Mapping[str, Floats], item: int) -> dict[str, float]:
        """What each member adds to the blended score of one item, given fresh member_scores()."""
        return {
            name: float(standardised(part.copy())[item]) * self.blend.weights[name]
            for name, part in scores.items()
        }

    def recommend(self, histories: Histories, k: int, *, exclude_seen: bool = True) -> Recommendations:
        """As Recommender.recommend, by the blend."""
        known = histories.known(self.items)
        parts = []
        for _, part in known.split(1024):
            scores = self.score(part)
            if exclude_seen:
                scores[part.owners(), part.item] = -np.inf
            parts.append(top_k(scores, k))
        parts = parts or [top_k(np.empty((0, self.items), np.float32), k)]
        return Recommendations(
            np.concatenate([part.items for part in parts]), np.concatenate([part.scores for part in parts])
        )

    def _counted(self) -> list[str]:
        return [name for name in self.blend.weights if name in self.members and self.blend.weights[name] != 0]

    @cached_property
    def held_bytes(self) -> int:
        """What its members' arrays take in memory when it has been loaded."""
        return held_bytes(dict(self.members))

    def to_files(self) -> dict[str, bytes]:
        """Content by name, `member/file` for the members' own; ensemble.json is the head."""
        head = {
            "format": 1,
            "items": self.items,
            "members": list(self.members),
            "weights": dict(self.blend.weights),
            "card": dict(self.card),
        }
        if self.ranker is not None:
            head["ranker"] = {"members": list(self.ranker.members), "mix": self.ranker.mix}
        files = {"ensemble.json": json.dumps(head).encode()}
        if self.ranker is not None:
            files[_TREES] = self.ranker.trees
        for name, member in self.members.items():
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
        members = {name: _member(name, files) for name in head["members"]}
        ranker = _ranker(head.get("ranker"), files)
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


def _ranker(head: Mapping[str, Any] | None, files: Mapping[str, bytes]) -> Ranker | None:
    if head is None:
        return None
    if _TREES not in files:
        raise DataError("The trees of the second stage are missing.")
    return Ranker(tuple(head["members"]), float(head["mix"]), files[_TREES])


def _member(name: str, files: Mapping[str, bytes]) -> Recommender[Any]:
    if name not in SERVED:
        raise DataError(f"This version does not know the member {name!r}.")
    own = {path.removeprefix(f"{name}/"): data for path, data in files.items() if path.startswith(f"{name}/")}
    if not own:
        raise DataError(f"The files of the member {name!r} are missing.")
    return SERVED[name].from_files(own)
