"""What one process holds of one tenant to answer requests: immutable, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scipy import sparse

from recommender.algorithms.content import Content
from recommender.algorithms.knowledge import Knowledge
from recommender.algorithms.likeness import Likeness
from recommender.algorithms.look import Look
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.serving import columns
from recommender.serving.columns import Columns
from recommender.serving.newcomers import Describing, Details, Vectors, merged
from recommender.serving.rules import Rules
from recommender.types import Halves
from tenants.data.types import StoredItem


@dataclass(frozen=True, slots=True)
class Stated:
    """What the tenant stated, as of `version`: rules, and tokens by item number."""

    version: int = 0
    rules: Rules = field(default_factory=Rules)
    links: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ready:
    """`newcomers` has vectors for the slots behind the model's, of each member that knows items by what they are.

    `told` is what was stated where the model has no member of it: it speaks before any training. `model_because` says
    why there is no model, or why it is not the newest one.
    """

    columns: Columns
    version: VersionView | None = None
    bundle: Bundle | None = None
    newcomers: Vectors = field(default_factory=dict)
    stated: Stated = field(default_factory=Stated)
    told: Knowledge | None = None
    model_because: str = ""

    @property
    def known(self) -> int:
        """How many of the first slots the model knows."""
        return self.bundle.ensemble.items if self.bundle else 0

    @property
    def describing(self) -> dict[str, Describing]:
        """The members that know items by what they are, chosen or not."""
        members = self.bundle.ensemble.members if self.bundle else {}
        found: dict[str, Describing] = {n: m for n, m in members.items() if isinstance(m, Content | Likeness)}
        return found if self.told is None else {**found, Knowledge.name: self.told}

    @property
    def look(self) -> Look | None:
        member = self.describing.get(Look.name)
        return member if isinstance(member, Look) else None

    @property
    def nbytes(self) -> int:
        model = self.bundle.ensemble.held_bytes if self.bundle else 0
        late = sum(v.data.nbytes + v.indices.nbytes + v.indptr.nbytes for v in self.newcomers.values())
        return model + self.columns.nbytes + int(late)

    def with_changes(self, changes: Sequence[StoredItem], looks: Mapping[int, Halves] | None = None) -> Ready:
        """The same model over the changed catalogue. A known item keeps the vectors it was trained with."""
        if not changes:
            return self
        changed = columns.updated(self.columns, changes)
        places = changed.slot_of[[change.item_no for change in changes]] - self.known
        late = [(int(place), change) for place, change in zip(places, changes, strict=True) if place >= 0]
        if not late:
            return replace(self, columns=changed)
        width, details = changed.slots - self.known, Details(looks or {}, self.stated.links)
        vectors = {
            name: merged(self.newcomers, member, late, details, width)
            for name, member in self.describing.items()
        }
        return replace(self, columns=changed, newcomers=vectors)

    def with_stated(self, stated: Stated) -> Ready:
        """The same with other rules and triples. A model that was trained with triples keeps those for its items."""
        numbers = self.columns.item_no.tolist()
        links = [stated.links.get(number, ()) for number in numbers]
        trained = self.bundle.ensemble.members.get(Knowledge.name) if self.bundle else None
        told = Knowledge.stated(links, links[: self.known]) if trained is None and any(links) else None
        member = trained if isinstance(trained, Knowledge) else told
        others = {name: vectors for name, vectors in self.newcomers.items() if name != Knowledge.name}
        if member is not None:
            others[Knowledge.name] = sparse.csr_matrix(member.vectors_of(links[self.known :]))
        return replace(self, stated=stated, told=told, newcomers=others)


EMPTY = Ready(columns.empty())


def of_version(version: VersionView, bundle: Bundle) -> Ready:
    """A model with the slots of its items reserved; the catalogue is still to be read."""
    return Ready(columns.empty(bundle.item_no), version, bundle)
