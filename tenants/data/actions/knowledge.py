"""Changes of the tenant's rules and triples. Every change increments the knowledge version, which serving follows."""

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
# The row lock of this UPDATE also serializes writers, so that two of them can't exceed the limits together.
_UPDATE_VERSION = "UPDATE data_tenantstate SET knowledge_version = knowledge_version + 1 WHERE tenant_id = %s"
KnowledgeInput = RuleInput | TripleInput


def replace_rules(s: Scope, rules: Sequence[RuleInput], *, rejected: Sequence[RowError] = ()) -> RulesResult:
    """Replaces all rules of the tenant by up to 500 new ones.

    Args:
        s: The tenant's scope.
        rules: The new rules.
        rejected: Errors that the caller found; these rows of `rules` are skipped.

    Returns:
        The number of accepted rules, and `rejected` with repeated ids added.

    Raises:
        TooLarge: More than 500 rules.
    """
    if len(rules) > MAX_RULES:
        raise TooLarge(f"A tenant has at most {MAX_RULES} rules; these are {len(rules)}.")
    keys = get_keyring(s.ref).derive_pseudonyms("rule", [rule.id for rule in rules])
    rejected_rows = {error.row for error in rejected}
    unique, repeated = _drop_repeats("rule", rules, keys, excluded_rows=rejected_rows)
    s.cursor().execute(_REMOVE, (s.tenant_id, "rule"))
    _write_statements(s, "rule", unique)
    return RulesResult(accepted=len(unique), rejected=[*rejected, *repeated])


def record_triples(s: Scope, triples: Sequence[TripleInput]) -> UpsertResult:
    """Adds up to 1,000 triples; triples that are already stored count as unchanged.

    Rows whose head is not an item id are rejected. Raises TooLarge, and Invalid for more than 200,000 triples in total.
    """
    if len(triples) > MAX_ROWS:
        raise TooLarge(f"A batch has at most {MAX_ROWS} triples; this one has {len(triples)}.")
    item_numbers = find_item_numbers(s, (triple.head for triple in triples))
    keyring = get_keyring(s.ref)
    rejected, keys = [], []
    for row, triple in enumerate(triples):
        if triple.head not in item_numbers:
            detail = "No item has this id; send the item first."
            rejected.append(RowError(row, f"/triples/{row}/head", "unknown_item", detail))
        content = msgspec.json.encode([triple.head, triple.relation, triple.tail])
        keys.append(keyring.compute_digest("triple", content))
    rejected_rows = {error.row for error in rejected}
    unique, repeated = _drop_repeats("triple", triples, keys, excluded_rows=rejected_rows)
    created = _write_statements(s, "triple", unique) if unique else 0
    if knowledge.count_statements(s, "triple") > MAX_TRIPLES:
        raise Invalid.from_field("/triples", "too_many", f"A tenant states at most {MAX_TRIPLES:,} triples.")
    return UpsertResult(
        created=created,
        unchanged=len(unique) - created,
        rejected=[*rejected, *repeated],
    )


def remove_triples(s: Scope) -> int:
    """Deletes all triples of the tenant. Returns their number."""
    _update_version(s)
    removed = s.cursor().execute(_REMOVE, (s.tenant_id, "triple")).rowcount
    audit.record_entry(s, "knowledge.remove_triples", "knowledge", count=removed)
    return removed


def _write_statements(s: Scope, kind: StatementKind, statements: Mapping[bytes, KnowledgeInput]) -> int:
    """Inserts statements by key. Returns the number of new ones."""
    _update_version(s)
    bodies = [msgspec.json.encode(statement) for statement in statements.values()]
    row_ids = [knowledge.encode_statement_row_id(kind, key) for key in statements]
    sealed = knowledge.get_statement_cipher(s.ref).seal_many(bodies, row_ids)
    inserted = s.cursor().execute(_UPSERT, (s.tenant_id, kind, list(statements), sealed)).rowcount
    audit.record_entry(s, f"knowledge.{kind}s", "knowledge", count=len(statements))
    return inserted


def _drop_repeats(
    kind: StatementKind,
    rows: Sequence[KnowledgeInput],
    keys: Sequence[bytes],
    *,
    excluded_rows: Collection[int],
) -> tuple[dict[bytes, KnowledgeInput], list[RowError]]:
    """Returns the rows by key, without excluded rows, and errors for rows that repeat an earlier key."""
    unique: dict[bytes, KnowledgeInput] = {}
    repeated = []
    for row, (key, statement) in enumerate(zip(keys, rows, strict=True)):
        if row in excluded_rows:
            continue
        if key in unique:
            detail = f"The same {kind} occurs earlier in the same batch; only the first row was accepted."
            repeated.append(RowError(row, f"/{kind}s/{row}", "repeated_id", detail))
        else:
            unique[key] = statement
    return unique, repeated


def _update_version(s: Scope) -> None:
    if not s.cursor().execute(_UPDATE_VERSION, (s.tenant_id,)).rowcount:
        raise NotFound("This tenant's space is not open in this region.")
