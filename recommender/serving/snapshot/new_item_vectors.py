"""Vectors of items that were added after training, in the vector spaces of the active version's content models.

Each content model encodes new items itself (`vectors_for`); this module keeps the result as one sparse matrix for each model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from recommender.algorithms.content.embedding_similarity import EmbeddingSimilarity
from recommender.algorithms.content.new_items import NewItemContent
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.tenant_data.item_text import build_item_text
from recommender.types import Float16Array
from tenants.data.types import StoredItem

ContentModel = TfidfContent | EmbeddingSimilarity[Any]
NewItemVectors = Mapping[str, Any]
"""By model name: float32 CSR (slots after the model's items, width of the model); zero rows where nothing is known."""


@dataclass(
    frozen=True,
    slots=True,
)
class ChangedNewItem:
    """An item that was added or changed; `row` is its slot minus the number of the model's items."""

    row: int
    stored: StoredItem


def collect_new_item_content(
    changed_items: Sequence[ChangedNewItem],
    image_embeddings: Mapping[int, Float16Array],
    triple_tokens: Mapping[int, tuple[str, ...]],
) -> NewItemContent:
    """Looks up what content models read of the items; both mappings are by item number."""
    numbers = [change.stored.item_no for change in changed_items]
    return NewItemContent(
        texts=[build_item_text(change.stored.item) for change in changed_items],
        image_embeddings=[image_embeddings.get(number) for number in numbers],
        triple_tokens=[triple_tokens.get(number, ()) for number in numbers],
    )


def update_new_item_vectors(
    previous: NewItemVectors,
    model: ContentModel,
    changed_items: Sequence[ChangedNewItem],
    content: NewItemContent,
    n_new_items: int,
) -> Any:
    """Replaces the rows of changed items in one model's matrix.

    Args:
        previous: the matrices before the change; the model may have none yet.
        model: a content model of the active version.
        changed_items: the items whose rows are replaced, each at most once.
        content: what the models read of `changed_items`, in the same order.
        n_new_items: the number of rows after the change.

    Returns:
        float32 CSR (n_new_items, width of the model).
    """
    n_changed = len(changed_items)
    rows = [change.row for change in changed_items]
    encoded = sparse.csr_matrix(model.vectors_for(content))
    # A 0/1 matrix (n_new_items, n_changed) with one 1 for each change: the product moves encoded row i to rows[i].
    placement = sparse.csr_matrix(
        (np.ones(n_changed, np.float32), (rows, range(n_changed))), shape=(n_new_items, n_changed)
    )
    placed = placement @ encoded
    existing = previous.get(model.name)
    if existing is None:
        return sparse.csr_matrix(placed)
    # Multiplying by a 0/1 diagonal from the left clears the rows that are replaced; CSR has no cheap row assignment.
    keep_row = np.ones(existing.shape[0], dtype=np.float32)
    keep_row[[row for row in rows if row < keep_row.size]] = 0
    unchanged = sparse.csr_matrix(sparse.diags(keep_row) @ existing)
    unchanged.resize(n_new_items, encoded.shape[1])
    return sparse.csr_matrix(unchanged + placed)
