"""Recording of reviews."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from tenants import audit
from tenants.data.queries import profiles, reviews
from tenants.data.queries.item_numbers import find_item_numbers
from tenants.data.types import ReviewInput, RowError, UpsertResult
from tenants.errors import TooLarge
from tenants.keys.queries import get_keyring
from tenants.scope import Scope

MAX_REVIEWS = 1_000
# xmax is 0 for an inserted row; an updated row has the id of the updating transaction there.
_UPSERT = """
INSERT INTO data_review (tenant_id, review_key, item_no, profile_key, at, body)
SELECT %s, k, n, p, a, b
FROM unnest(%b::bytea[], %b::int4[], %b::bytea[], %b::timestamptz[], %b::bytea[]) AS t(k, n, p, a, b)
ON CONFLICT (tenant_id, review_key) DO UPDATE
SET item_no = excluded.item_no, profile_key = excluded.profile_key, at = excluded.at, body = excluded.body
RETURNING (xmax = 0)
"""


def record_reviews(s: Scope, entries: Sequence[ReviewInput]) -> UpsertResult:
    """Inserts or replaces up to 1,000 reviews. Rows with unknown items and repeats are rejected. Raises TooLarge."""
    if len(entries) > MAX_REVIEWS:
        raise TooLarge(f"A batch has at most {MAX_REVIEWS} reviews; this one has {len(entries)}.")
    numbers = find_item_numbers(s, (entry.item_id for entry in entries))
    result, unique = UpsertResult(), dict[bytes, ReviewInput]()
    for row, entry in enumerate(entries):
        key = _derive_key(s, entry)
        if entry.item_id not in numbers:
            detail = "No item has this id; send the item first."
            result.rejected.append(RowError(row, f"/reviews/{row}/item_id", "unknown_item", detail))
        elif key in unique:
            detail = "The same review occurs earlier in the same batch; only the first row was accepted."
            result.rejected.append(RowError(row, f"/reviews/{row}", "repeated_id", detail))
        else:
            unique[key] = entry
    if unique:
        _write_reviews(s, unique, numbers, result)
    return result


def _derive_key(s: Scope, entry: ReviewInput) -> bytes:
    """Returns the pseudonym of the review's id; without an id a digest of item, profile and text."""
    keyring = get_keyring(s.ref)
    if entry.id is not None:
        return keyring.derive_pseudonym("review", entry.id)
    content = msgspec.json.encode([entry.item_id, entry.profile_id, entry.title, entry.text])
    return keyring.compute_digest("review", content)


def _write_reviews(
    s: Scope,
    unique: dict[bytes, ReviewInput],
    numbers: dict[str, int],
    result: UpsertResult,
) -> None:
    keys, entries, now = list(unique), list(unique.values()), datetime.now(UTC)
    item_numbers, profile_keys, times, bodies = [], [], [], []
    for entry in entries:
        profile_key = None
        if entry.profile_id is not None:
            profile_key = profiles.derive_profile_key(s, entry.profile_id)
        item_numbers.append(numbers[entry.item_id])
        profile_keys.append(profile_key)
        times.append(entry.at or now)
        bodies.append(msgspec.json.encode(entry))
    sealed = reviews.get_review_cipher(s.ref).seal_many(bodies, keys)
    parameters = (s.tenant_id, keys, item_numbers, profile_keys, times, sealed)
    for (created,) in s.cursor().execute(_UPSERT, parameters).fetchall():
        result.created += created
        result.updated += not created
    audit.record_entry(s, "reviews.record", "reviews", count=len(keys))
