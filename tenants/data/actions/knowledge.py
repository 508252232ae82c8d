from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from tenants import audit
from tenants.data.queries import knowledge
from tenants.data.queries.item_numbers import find_item_numbers
from tenants.data.queries.knowledge import StatementKind
from tenants.data.types import RowError, RuleInput, RulesResult, TripleInput, UpsertResult
from tenants.errors import Invalid, NotFound, TooLarge
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

MAX_ROWS, MAX_RULES, MAX_TRIPLES = 1_000, 500, 200_000
_UPSERT = """
INSERT INTO data_statement (tenant_id, kind, key, body)
SELECT %s, %s, k, b FROM unnest(%b::bytea[], %b::bytea[]) AS t(k, b)
ON CONFLICT (tenant_id, kind, key) DO NOTHING
"""
_REMOVE = "DELETE FROM data_statement WHERE tenant_id = %s AND kind = %s"
# Also the lock that keeps two statements from passing the limits together.
_UPDATE_VERSION = "UPDATE data_tenantstate SET knowledge_version = knowledge_version + 1 WHERE tenant_id = %s"
KnowledgeInput = RuleInput | TripleInput


def replace_rules(s: Scope, rules: Sequence[RuleInput], *, rejected: Sequence[RowError] = ()) -> RulesResult:
    """In place of all that were there, at most 500; `refused` rows are left out and returned. Raises TooLarge."""
    if len(rules) > MAX_RULES:
        raise TooLarge(f"A tenant has at most {MAX_RULES} rules; these are {len(rules)}.")
    keys = get_keyring(s.ref).derive_pseudonyms("rule", [rule.id for rule in rules])
    unique, repeated = _drop_repeats("rule", rules, keys, excluded_rows={error.row for error in rejected})
    s.cursor().execute(_REMOVE, (s.tenant_id, "rule"))
    _write_statements(s, "rule", unique)
    return RulesResult(len(unique), [*rejected, *repeated])


def record_triples(s: Scope, triples: Sequence[TripleInput]) -> UpsertResult:
    """At most 1,000 a call and 200,000 in all; a repeated one counts once. A head that is no item is refused.

    Raises TooLarge, Invalid."""
    if len(triples) > MAX_ROWS:
        raise TooLarge(f"A batch has at most {MAX_ROWS} triples; this one has {len(triples)}.")
    known = find_item_numbers(s, (triple.head for triple in triples))
    detail = "No item has this id; send the item first."
    refused = [
        RowError(row, f"/triples/{row}/head", "unknown_item", detail)
        for row, triple in enumerate(triples)
        if triple.head not in known
    ]
    ring = get_keyring(s.ref)
    keys = [ring.compute_digest("triple", msgspec.json.encode([t.head, t.relation, t.tail])) for t in triples]
    unique, repeated = _drop_repeats("triple", triples, keys, excluded_rows={error.row for error in refused})
    created = _write_statements(s, "triple", unique) if unique else 0
    if knowledge.count_statements(s, "triple") > MAX_TRIPLES:
        raise Invalid.from_field("/triples", "too_many", f"A tenant states at most {MAX_TRIPLES:,} triples.")
    return UpsertResult(created=created, unchanged=len(unique) - created, rejected=[*refused, *repeated])


def remove_triples(s: Scope) -> int:
    """All of them. Returns how many there were."""
    _update_version(s)
    removed = s.cursor().execute(_REMOVE, (s.tenant_id, "triple")).rowcount
    audit.record_entry(s, "knowledge.remove_triples", "knowledge", count=removed)
    return removed


def _write_statements(s: Scope, kind: StatementKind, statements: Mapping[bytes, KnowledgeInput]) -> int:
    """Returns how many were new."""
    _update_version(s)
    bodies = [msgspec.json.encode(one) for one in statements.values()]
    sealed = knowledge.get_statement_cipher(s.ref).seal_many(
        bodies, [knowledge.encode_statement_row_id(kind, key) for key in statements]
    )
    new = s.cursor().execute(_UPSERT, (s.tenant_id, kind, list(statements), sealed)).rowcount
    audit.record_entry(s, f"knowledge.{kind}s", "knowledge", count=len(statements))
    return new


def _drop_repeats(
    kind: StatementKind,
    rows: Sequence[KnowledgeInput],
    keys: Sequence[bytes],
    *,
    excluded_rows: Collection[int],
) -> tuple[dict[bytes, KnowledgeInput], list[RowError]]:
    found: dict[bytes, KnowledgeInput] = {}
    repeated = []
    for row, (key, stated) in enumerate(zip(keys, rows, strict=True)):
        if row not in excluded_rows and found.setdefault(key, stated) is not stated:
            detail = f"The same {kind} stands earlier in the same batch; only the first was taken."
            repeated.append(RowError(row, f"/{kind}s/{row}", "repeated_id", detail))
    return found, repeated


def _update_version(s: Scope) -> None:
    if not s.cursor().execute(_UPDATE_VERSION, (s.tenant_id,)).rowcount:
        raise NotFound("This tenant's space is not open in this region.")
