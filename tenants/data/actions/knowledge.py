from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from tenants import audit
from tenants.data.queries import knowledge
from tenants.data.queries.item_numbers import item_numbers
from tenants.data.queries.knowledge import Kind
from tenants.data.types import RowError, RuleInput, RulesTaken, TripleInput, UpsertResult
from tenants.errors import Invalid, NotFound, TooLarge
from tenants.keys.queries import keyring
from tenants.scope import Scope

MAX_ROWS, MAX_RULES, MAX_TRIPLES = 1_000, 500, 200_000
_UPSERT = """
INSERT INTO data_statement (tenant_id, kind, key, body)
SELECT %s, %s, k, b FROM unnest(%b::bytea[], %b::bytea[]) AS t(k, b)
ON CONFLICT (tenant_id, kind, key) DO NOTHING
"""
_REMOVE = "DELETE FROM data_statement WHERE tenant_id = %s AND kind = %s"
# Also the lock that keeps two statements from passing the limits together.
_NEXT = "UPDATE data_tenantstate SET knowledge_version = knowledge_version + 1 WHERE tenant_id = %s"
Stated = RuleInput | TripleInput


def replace_rules(s: Scope, rules: Sequence[RuleInput], *, refused: Sequence[RowError] = ()) -> RulesTaken:
    """In place of all that were there, at most 500; `refused` rows are left out and returned. Raises TooLarge."""
    if len(rules) > MAX_RULES:
        raise TooLarge(f"A tenant has at most {MAX_RULES} rules; these are {len(rules)}.")
    keys = keyring(s.ref).pseudonyms("rule", [rule.id for rule in rules])
    unique, repeated = _unique("rule", rules, keys, without={error.row for error in refused})
    s.cursor().execute(_REMOVE, (s.tenant_id, "rule"))
    _write(s, "rule", unique)
    return RulesTaken(len(unique), [*refused, *repeated])


def record_triples(s: Scope, triples: Sequence[TripleInput]) -> UpsertResult:
    """At most 1,000 a call and 200,000 in all; a repeated one counts once. A head that is no item is refused.

    Raises TooLarge, Invalid."""
    if len(triples) > MAX_ROWS:
        raise TooLarge(f"A batch has at most {MAX_ROWS} triples; this one has {len(triples)}.")
    known = item_numbers(s, (triple.head for triple in triples))
    detail = "No item has this id; send the item first."
    refused = [
        RowError(row, f"/triples/{row}/head", "unknown_item", detail)
        for row, triple in enumerate(triples)
        if triple.head not in known
    ]
    ring = keyring(s.ref)
    keys = [ring.digest("triple", msgspec.json.encode([t.head, t.relation, t.tail])) for t in triples]
    unique, repeated = _unique("triple", triples, keys, without={error.row for error in refused})
    created = _write(s, "triple", unique) if unique else 0
    if knowledge.count(s, "triple") > MAX_TRIPLES:
        raise Invalid.at("/triples", "too_many", f"A tenant states at most {MAX_TRIPLES:,} triples.")
    return UpsertResult(created=created, unchanged=len(unique) - created, rejected=[*refused, *repeated])


def remove_triples(s: Scope) -> int:
    """All of them. Returns how many there were."""
    _next_version(s)
    removed = s.cursor().execute(_REMOVE, (s.tenant_id, "triple")).rowcount
    audit.record(s, "knowledge.remove_triples", "knowledge", count=removed)
    return removed


def _write(s: Scope, kind: Kind, stated: Mapping[bytes, Stated]) -> int:
    """Returns how many were new."""
    _next_version(s)
    bodies = [msgspec.json.encode(one) for one in stated.values()]
    sealed = knowledge.cipher(s.ref).seal_many(bodies, [knowledge.row_id(kind, key) for key in stated])
    new = s.cursor().execute(_UPSERT, (s.tenant_id, kind, list(stated), sealed)).rowcount
    audit.record(s, f"knowledge.{kind}s", "knowledge", count=len(stated))
    return new


def _unique(
    kind: Kind, rows: Sequence[Stated], keys: Sequence[bytes], *, without: Collection[int]
) -> tuple[dict[bytes, Stated], list[RowError]]:
    found: dict[bytes, Stated] = {}
    repeated = []
    for row, (key, stated) in enumerate(zip(keys, rows, strict=True)):
        if row not in without and found.setdefault(key, stated) is not stated:
            detail = f"The same {kind} stands earlier in the same batch; only the first was taken."
            repeated.append(RowError(row, f"/{kind}s/{row}", "repeated_id", detail))
    return found, repeated


def _next_version(s: Scope) -> None:
    if not s.cursor().execute(_NEXT, (s.tenant_id,)).rowcount:
        raise NotFound("This tenant's space is not open in this region.")
