"""Composes the text of an item."""

from __future__ import annotations

from recommender.features.tfidf import join_text_fields
from tenants.data.types import ItemInput


def build_item_text(item: ItemInput) -> str:
    """The text that content models read, the same for training and for items added later."""
    return join_text_fields(
        title=item.title,
        description=item.description,
        categories=item.categories,
        tags=item.tags,
        brand=item.brand or "",
    )
