"""Changes of profiles."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tenants import audit
from tenants.data.queries import profiles
from tenants.data.queries.consent import parse_consent
from tenants.data.types import Attribute, ProfileInput, ProfileView, RowError, UpsertResult
from tenants.errors import TooLarge
from tenants.scope import Scope

MAX_PROFILES = 1_000
# xmax is 0 for an inserted row; an updated row has the id of the updating transaction there.
_UPSERT = """
INSERT INTO data_profile (tenant_id, profile_key, consent, body, created_at, updated_at)
SELECT %s, k, c, b, now(), now() FROM unnest(%b::bytea[], %b::int2[], %b::bytea[]) AS t(k, c, b)
ON CONFLICT (tenant_id, profile_key) DO UPDATE
SET consent = excluded.consent, body = excluded.body, updated_at = now()
RETURNING (xmax = 0)
"""


def upsert_profiles(s: Scope, entries: Sequence[ProfileInput]) -> UpsertResult:
    """Inserts or replaces up to 1,000 profiles; without `consent` the stored consent is kept. Raises TooLarge."""
    if len(entries) > MAX_PROFILES:
        raise TooLarge(f"A batch has at most {MAX_PROFILES} profiles; this one has {len(entries)}.")
    result, unique = UpsertResult(), dict[bytes, ProfileInput]()
    for row, entry in enumerate(entries):
        key = profiles.derive_profile_key(s, entry.id)
        if key in unique:
            detail = "This id occurs earlier in the same batch; only the first row was accepted."
            result.rejected.append(RowError(row, f"/profiles/{row}/id", "repeated_id", detail))
        else:
            unique[key] = entry
    stored = profiles.load_profiles(s, list(unique))
    merged = {}
    for key, entry in unique.items():
        merged[key] = _keep_stored_consent(entry, stored.get(key))
    for created in _write_profiles(s, merged):
        result.created += created
        result.updated += not created
    return result


def patch_attributes(s: Scope, profile_id: str, changes: dict[str, Attribute | None]) -> ProfileView:
    """Sets attributes of a profile; None removes one. Raises NotFound."""
    before = profiles.get_profile(s, profile_id).profile
    attributes = dict(before.attributes)
    for name, value in changes.items():
        attributes.pop(name, None)
        if value is not None:
            attributes[name] = value
    after = msgspec.structs.replace(before, attributes=attributes)
    # `replace` does not validate; the conversion enforces the limits of ProfileInput.
    validated = msgspec.convert(msgspec.to_builtins(after), ProfileInput)
    _write_profiles(s, {profiles.derive_profile_key(s, profile_id): validated})
    return profiles.get_profile(s, profile_id)


def _keep_stored_consent(entry: ProfileInput, stored: ProfileInput | None) -> ProfileInput:
    if entry.consent is None and stored is not None and stored.consent is not None:
        return msgspec.structs.replace(entry, consent=stored.consent)
    return entry


def _write_profiles(s: Scope, entries: dict[bytes, ProfileInput]) -> list[bool]:
    """Writes profiles by key. Returns for each written row whether it is new."""
    keys = sorted(entries)
    bodies = [msgspec.json.encode(entries[key]) for key in keys]
    sealed = profiles.get_profile_cipher(s.ref).seal_many(bodies, keys)
    consents = [parse_consent(entries[key]).value for key in keys]
    rows = s.cursor().execute(_UPSERT, (s.tenant_id, keys, consents, sealed)).fetchall()
    audit.record_entry(s, "profiles.upsert", "profiles", count=len(keys))
    return [bool(row[0]) for row in rows]
