"""The members and their blend as one model to save, load and serve. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from recommender.algorithms.popularity import Popularity
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
        FeaturesScorer,
        SequenceScorer,
        RecurrentScorer,
        ConvolutionalScorer,
    )
}
# Members that read the order of a history; an item without behaviour has no place in them.
ORDERED = frozenset({SequenceScorer.name, RecurrentScorer.name, ConvolutionalScorer.name})


@dataclass(frozen=True)
class Ensemble:
    """Fitted members over the same items, their blend, and the card: what was measured while fitting."""

    members: Mapping[str, Recommender[Any]]
    blend: Blend
    items: int
    card: Mapping[str, Any] = field(default_factory=dict)

    def score(self, histories: Histories) -> Floats:
        """float32 (len(histories), items), the blend."""
        return self.blend.combine({name: self.members[name].score(histories) for name in self._counted()})

    def score_one(self, history: Ints, weight: Floats | None = None) -> Floats:
        """float32 (items) for one history, oldest first."""
        return self.blend.combine(self.member_scores(history, weight))

    def member_scores(self, history: Ints, weight: Floats | None = None) -> dict[str, Floats]:
        """float32 (items) of each blended member, unstandardised: the evidence behind an answer's reasons."""
        return {name: self.members[name].score_one(history, weight) for name in self._counted()}

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

    def to_files(self) -> dict[str, bytes]:
        """Content by name, `member/file` for the members' own; ensemble.json is the head."""
        head = {
            "format": 1,
            "items": self.items,
            "members": list(self.members),
            "weights": dict(self.blend.weights),
            "card": dict(self.card),
        }
        files = {"ensemble.json": json.dumps(head).encode()}
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
        return cls(members, Blend(head["weights"]), int(head["items"]), head["card"])

    def save(self, folder: Path) -> None:
        for name, content in self.to_files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    @classmethod
    def load(cls, folder: Path) -> Ensemble:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return cls.from_files({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})


def _member(name: str, files: Mapping[str, bytes]) -> Recommender[Any]:
    if name not in SERVED:
        raise DataError(f"This version does not know the member {name!r}.")
    own = {path.removeprefix(f"{name}/"): data for path, data in files.items() if path.startswith(f"{name}/")}
    if not own:
        raise DataError(f"The files of the member {name!r} are missing.")
    return SERVED[name].from_files(own)
