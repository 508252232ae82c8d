"""Composes the text of an item."""

from __future__ import annotations

from collections.abc import Sequence

# A title describes an item better than its category: on held-out events, three repetitions were best among one to six.
TITLE_REPEATS = 3


def join_text_fields(
    *,
    title: str = "",
    description: str = "",
    categories: Sequence[str] = (),
    tags: Sequence[str] = (),
    brand: str = "",
) -> str:
    """One text from the fields of an item, for models that count words; "" where all fields are empty."""
    fields = [*[title] * TITLE_REPEATS, *categories, *tags, brand, description]
    return " . ".join(field.strip() for field in fields if field.strip())
