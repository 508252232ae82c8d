"""Knowledge triples as tokens of items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from recommender.dataset.table_files import read_table
from recommender.types import DataError

Triple = tuple[str, str, str]


def build_triple_tokens(
    triples: Iterable[Triple], item_numbers: Mapping[str, int]
) -> dict[int, tuple[str, ...]]:
    """By item number, from (head, relation, tail); a head that `numbers` does not name is left out.

    A link between two items is a token of each of them in both; any other tail is one with its relation."""
    found: dict[int, dict[str, None]] = {}
    for head_name, relation, tail_name in triples:
        head, tail = item_numbers.get(head_name), item_numbers.get(tail_name)
        if head is None:
            continue
        if tail is None:
            found.setdefault(head, {})[f"{relation}\t{tail_name}"] = None
            continue
        for number in (head, tail):
            found.setdefault(number, {}).update({f"item\t{head}": None, f"item\t{tail}": None})
    return {number: tuple(stated) for number, stated in found.items()}


def read_triples(path: Path) -> list[Triple]:
    """Rows of a .csv or .parquet file with head, relation and tail. Raises DataError."""
    frame = read_table(path)
    for name in ("head", "relation", "tail"):
        if name not in frame.columns:
            raise DataError(f"{path.name} lacks the column {name}; it has {', '.join(frame.columns)}.")
    rows = frame.select("head", "relation", "tail").iter_rows()
    return [(str(head), str(relation), str(tail)) for head, relation, tail in rows]
