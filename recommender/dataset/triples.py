"""Knowledge triples (head, relation, tail) as tokens of items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from recommender.dataset.table_files import read_table, require_columns

Triple = tuple[str, str, str]
"""(head, relation, tail): head is an item id, tail an item id or any other name."""
TRIPLE_COLUMNS = ("head", "relation", "tail")


def build_triple_tokens(
    triples: Iterable[Triple], item_numbers: Mapping[str, int]
) -> dict[int, tuple[str, ...]]:
    """Distinct tokens by item number, in order of first appearance.

    A triple between two items gives both of them a token for each of the two; a triple with any other tail gives its head
    the token of relation and tail. Triples whose head is not in `item_numbers` are ignored.
    """
    # Dictionaries instead of sets: they keep the order of insertion.
    tokens: dict[int, dict[str, None]] = {}
    for head_name, relation, tail_name in triples:
        head, tail = item_numbers.get(head_name), item_numbers.get(tail_name)
        if head is None:
            continue
        if tail is None:
            tokens.setdefault(head, {})[f"{relation}\t{tail_name}"] = None
            continue
        for item in (head, tail):
            tokens.setdefault(item, {}).update({f"item\t{head}": None, f"item\t{tail}": None})
    return {item: tuple(item_tokens) for item, item_tokens in tokens.items()}


def read_triples(path: Path) -> list[Triple]:
    """Rows of a .csv or .parquet file with the columns head, relation and tail. Raises DataError."""
    frame = read_table(path)
    require_columns(path, frame, TRIPLE_COLUMNS)
    rows = frame.select(TRIPLE_COLUMNS).iter_rows()
    return [(str(head), str(relation), str(tail)) for head, relation, tail in rows]
