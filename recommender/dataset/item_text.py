"""The one text that stands for an item."""

from __future__ import annotations

from collections.abc import Sequence

# A title says more than the drawer it lies in: on held-out choices three times was best among one to six.
TITLE_REPEATS = 3


def join_text_fields(
    *,
    title: str = "",
    description: str = "",
    categories: Sequence[str] = (),
    tags: Sequence[str] = (),
    brand: str = "",
) -> str:
    """The text of an item for algorithms to count words in; "" where nothing is known."""
    parts = [*[title] * TITLE_REPEATS, *categories, *tags, brand, description]
    return " . ".join(part.strip() for part in parts if part.strip())
