"""Queries on profiles."""

from __future__ import annotations

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.types import ProfileInput, ProfileView
from tenants.errors import NotFound
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

_decoder = msgspec.json.Decoder(ProfileInput)
_GET = """
SELECT p.body, p.created_at, p.updated_at,
       (SELECT coalesce(sum(t.count), 0) FROM data_timeline t WHERE t.tenant_id = p.tenant_id AND t.profile_key = p.profile_key)
FROM data_profile p WHERE p.tenant_id = %s AND p.profile_key = %b
"""
_BODIES = "SELECT profile_key, body FROM data_profile WHERE tenant_id = %s AND profile_key = ANY(%b)"
_PAGE = "SELECT profile_key, body FROM data_profile WHERE tenant_id = %s AND profile_key > %b ORDER BY profile_key LIMIT %s"
_COUNT = "SELECT count(*) FROM data_profile WHERE tenant_id = %s"


def get_profile_cipher(tenant: TenantRef) -> BoundCipher:
    """Returns the cipher of profile bodies."""
    return get_keyring(tenant).get_cipher(Purpose.PROFILE, table="profile", column="body")


def derive_profile_key(s: Scope, profile_id: str) -> bytes:
    """Returns the pseudonym under which all data of the profile is stored. The profile need not exist."""
    return get_keyring(s.ref).derive_pseudonym("uid", profile_id)


def get_profile(s: Scope, profile_id: str) -> ProfileView:
    """Returns one profile with its number of events. Raises NotFound, also for an id of another tenant."""
    key = derive_profile_key(s, profile_id)
    row = s.cursor(binary=True).execute(_GET, (s.tenant_id, key)).fetchone()
    if row is None:
        raise NotFound("No profile has this id.")
    body, created_at, updated_at, n_events = row
    profile = _decoder.decode(get_profile_cipher(s.ref).open(body, key))
    return ProfileView(profile, created_at, updated_at, int(n_events))


def load_profiles(s: Scope, keys: list[bytes]) -> dict[bytes, ProfileInput]:
    """Returns the existing profiles among `keys`, by key."""
    rows = s.cursor(binary=True).execute(_BODIES, (s.tenant_id, keys)).fetchall()
    return _open_profiles(s, rows)


def list_profiles(s: Scope, *, after: bytes = b"", limit: int = 1_000) -> dict[bytes, ProfileInput]:
    """Returns a page of profiles by key, in ascending order; the next page begins after the last key."""
    return _open_profiles(s, s.cursor(binary=True).execute(_PAGE, (s.tenant_id, after, limit)).fetchall())


def count_profiles(s: Scope) -> int:
    """Returns the number of stored profiles."""
    row = s.cursor().execute(_COUNT, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0


def _open_profiles(s: Scope, rows: list[tuple[bytes, bytes]]) -> dict[bytes, ProfileInput]:
    keys = [bytes(key) for key, _body in rows]
    bodies = get_profile_cipher(s.ref).open_many([body for _key, body in rows], keys)
    profiles = [_decoder.decode(body) for body in bodies]
    return dict(zip(keys, profiles, strict=True))
