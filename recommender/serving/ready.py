"""What one process holds of one tenant to answer requests: immutable, replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from recommender.algorithms.content import Content
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.serving import columns
from recommender.serving.columns import Columns
from recommender.sources import text_of
from tenants.data.types import StoredItem


@dataclass(frozen=True, slots=True)
class Ready:
    """`newcomers` has a content vector for each slot behind the model's, when the model can read texts.

    `model_because` says why there is no model, or why it is not the newest one.
    """

    columns: Columns
    version: VersionView | None = None
    bundle: Bundle | None = None
    newcomers: Any = None
    model_because: str = ""

    @property
    def known(self) -> int:
        """How many of the first slots the model knows."""
        return self.bundle.ensemble.items if self.bundle else 0

    @property
    def content(self) -> Content | None:
        member = self.bundle.ensemble.members.get(Content.name) if self.bundle else None
        return member if isinstance(member, Content) else None

    @property
    def nbytes(self) -> int:
        model = self.bundle.ensemble.held_bytes if self.bundle else 0
        return model + self.columns.nbytes

    def with_changes(self, changes: Sequence[StoredItem]) -> Ready:
        """The same model over the changed catalogue."""
        if not changes:
            return self
        changed = columns.updated(self.columns, changes)
        content = self.content
        if content is None:
            return replace(self, columns=changed)
        return replace(self, columns=changed, newcomers=self._vectors(content, changed, changes))

    def _vectors(self, content: Content, changed: Columns, changes: Sequence[StoredItem]) -> Any:
        """Only slots behind the model's: a known item keeps the vector it was trained with."""
        slots = changed.slot_of[[change.item_no for change in changes]] - self.known
        late = [(int(slot), change) for slot, change in zip(slots, changes, strict=True) if slot >= 0]
        if not late:
            return self.newcomers
        vectors = content.vectors_of([text_of(change.item) for _, change in late])
        width = changed.slots - self.known
        place = sparse.csr_matrix(
            (np.ones(len(late), np.float32), ([slot for slot, _ in late], range(len(late)))),
            shape=(width, len(late)),
        )
        fresh = place @ vectors
        if self.newcomers is None:
            return sparse.csr_matrix(fresh)
        kept = np.ones(self.newcomers.shape[0], dtype=np.float32)
        kept[[slot for slot, _ in late if slot < kept.size]] = 0
        old = sparse.diags(kept) @ self.newcomers
        old.resize(width, vectors.shape[1])
        return sparse.csr_matrix(old + fresh)


EMPTY = Ready(columns.empty())


def of_version(version: VersionView, bundle: Bundle) -> Ready:
    """A model with the slots of its items reserved; the catalogue is still to be read."""
    return Ready(columns.empty(bundle.item_no), version, bundle)
