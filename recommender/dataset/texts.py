"""The one text that stands for an item."""

from __future__ import annotations

from collections.abc import Sequence

# Between the prose and the terms that must not be cut into words; neither occurs in written text.
TERM_SEPARATOR = "\x1e"
TERM_MARK = "\x1f"


def compose_text(
    *,
    title: str = "",
    description: str = "",
    categories: Sequence[str] = (),
    tags: Sequence[str] = (),
    brand: str = "",
) -> str:
    """The text of an item; "" where nothing is known.

    categories is a path, widest first. Beside its words, every category, tag and brand and the whole path are
    terms of their own."""
    path, tags = _clean(categories), _clean(tags)
    makers = _clean([brand])
    prose = [part for part in (title.strip(), *path, *tags, *makers, description.strip()) if part]
    terms = _terms("c", path) + _terms("t", tags) + _terms("b", makers)
    if len(path) > 1:
        terms += _terms("p", ["/".join(path)])
    return TERM_SEPARATOR.join([" . ".join(prose), *terms])


def _clean(names: Sequence[str]) -> list[str]:
    flat = (name.replace(TERM_SEPARATOR, " ").replace(TERM_MARK, " ").strip() for name in names)
    return [name for name in flat if name]


def _terms(label: str, names: Sequence[str]) -> list[str]:
    return [f"{TERM_MARK}{label}:{name.casefold()}" for name in names]
