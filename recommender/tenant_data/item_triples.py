"""The triples that a tenant states, as models read them: tokens of items."""

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
    """What is stated of each item, in the order of `item_no`; None where nothing is stated at all."""
    with scope(tenant, actor=actor) as s:
        stated = load_triple_tokens(s, knowledge.load_triples(s))
    found = tuple(stated.get(number, ()) for number in numbers.tolist())
    return found if any(found) else None


def load_triple_tokens(s: Scope, triples: Sequence[TripleInput]) -> TripleTokens:
    """By item number."""
    numbers = find_item_numbers(s, {name for triple in triples for name in (triple.head, triple.tail)})
    return build_triple_tokens(((one.head, one.relation, one.tail) for one in triples), numbers)
