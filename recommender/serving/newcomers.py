"""Vectors of items that came after the model was made, in the spaces of its members that know items by what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from recommender.algorithms.content import Content
from recommender.algorithms.knowledge import Knowledge
from recommender.algorithms.likeness import Likeness
from recommender.algorithms.look import Look
from recommender.features.images import WIDTH
from recommender.sources import text_of
from recommender.types import Halves
from tenants.data.types import StoredItem

Describing = Content | Likeness[Any]
Vectors = Mapping[str, Any]
"""By member: float32 CSR (slots behind the model's, n); rows of zeros where nothing is known."""


@dataclass(frozen=True, slots=True)
class Details:
    """What items are beside their catalogue entry, by item number: vectors of their images, and what is stated of them."""

    looks: Mapping[int, Halves] = field(default_factory=dict)
    links: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def merged(
    old: Vectors, member: Describing, late: Sequence[tuple[int, StoredItem]], details: Details, width: int
) -> Any:
    """The member's vectors of `width` newcomers: `late` are (place among them, item) that are new or changed."""
    fresh = sparse.csr_matrix(_vectors(member, [stored for _, stored in late], details))
    places = [place for place, _ in late]
    put = sparse.csr_matrix(
        (np.ones(len(late), np.float32), (places, range(len(late)))), shape=(width, len(late))
    )
    before = old.get(member.name)
    if before is None:
        return sparse.csr_matrix(put @ fresh)
    kept = np.ones(before.shape[0], dtype=np.float32)
    kept[[place for place in places if place < kept.size]] = 0
    stays = sparse.csr_matrix(sparse.diags(kept) @ before)
    stays.resize(width, fresh.shape[1])
    return sparse.csr_matrix(stays + put @ fresh)


def _vectors(member: Describing, items: Sequence[StoredItem], details: Details) -> Any:
    if isinstance(member, Content):
        return member.vectors_of([text_of(stored.item) for stored in items])
    if isinstance(member, Look):
        nothing = np.zeros(WIDTH, np.float16)
        return member.vectors_of(np.stack([details.looks.get(one.item_no, nothing) for one in items]))
    if isinstance(member, Knowledge):
        return member.vectors_of([details.links.get(one.item_no, ()) for one in items])
    raise TypeError(f"{member.name} does not describe items.")
