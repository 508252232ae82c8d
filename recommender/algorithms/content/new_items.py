"""What content models read of items that were added to the catalogue after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recommender.types import Float16Array


@dataclass(frozen=True, slots=True)
class NewItemContent:
    """Parallel lists, one entry for each item.

    Attributes:
        texts: the item texts, composed as for training.
        image_embeddings: float16 (EMBEDDING_WIDTH), or None for an item without an image.
        triple_tokens: tokens of the triples of which the item is the head or tail.
    """

    texts: Sequence[str]
    image_embeddings: Sequence[Float16Array | None]
    triple_tokens: Sequence[Sequence[str]]
