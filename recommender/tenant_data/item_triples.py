"""The tenant's triples as models read them: tokens of items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.dataset.triples import build_triple_tokens
from tenants.data.queries import knowledge
from tenants.data.queries.item_numbers import find_item_numbers
from tenants.data.types import TripleInput
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

TripleTokens = dict[int, tuple[str, ...]]


def load_item_triples(
    tenant: TenantRef, numbers: NDArray[np.int32], *, actor: Actor
) -> tuple[tuple[str, ...], ...] | None:
    """The tokens of each item, in the order of `numbers`; None if none of the items has a triple."""
    with scope(tenant, actor=actor) as s:
        tokens_by_number = load_triple_tokens(s, knowledge.load_triples(s))
    tokens = tuple(tokens_by_number.get(number, ()) for number in numbers.tolist())
    if not any(tokens):
        return None
    return tokens


def load_triple_tokens(s: Scope, triples: Sequence[TripleInput]) -> TripleTokens:
    """Tokens by item number, of all items that are the head or tail of a triple."""
    entity_names: set[str] = set()
    for triple in triples:
        entity_names.update((triple.head, triple.tail))
    # Entities that are no items have no number; build_triple_tokens uses them as tokens only.
    numbers = find_item_numbers(s, entity_names)
    return build_triple_tokens(((triple.head, triple.relation, triple.tail) for triple in triples), numbers)
