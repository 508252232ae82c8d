"""Authentication: finds the tenant of an API key, before a scope exists."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from tenants import regions
from tenants.control import key_use
from tenants.control.key_format import KeyParts, fingerprint, parse_api_key
from tenants.control.models.tenant import TenantStatus
from tenants.control.read_models import KeyIdentity
from tenants.errors import StoreUnavailable, TenantSuspended, Unauthenticated
from tenants.regions import CONTROL, TenantRef
from tenants.scope import Actor

CACHE_SECONDS = 5.0
_MAX_ENTRIES = 20_000
_FIND_API_KEY = """
SELECT secret_hmac, scopes, cidrs, expires_at, tenant_id, tenant_slug, region, vertical, plan, status
FROM app.find_api_key(%s)
"""
# Compared when no key has the id, so that the response time does not reveal which ids exist.
_ABSENT_HMAC = bytes(32)


@dataclass(frozen=True, slots=True)
class _CachedKey:
    """A verified key. `expires_at` is Unix time; `checked_at` is time.monotonic()."""

    identity: KeyIdentity
    networks: tuple[IPv4Network | IPv6Network, ...]
    expires_at: float
    checked_at: float
    active: bool


_cached_keys: dict[bytes, _CachedKey] = {}
_lock = threading.Lock()
# Keys the digests below, so that the cache holds no API keys and its slots can't be predicted.
_process_key = os.urandom(32)


def authenticate(raw_key: str, *, remote_ip: str) -> KeyIdentity:
    """Returns the identity of the caller. A revocation takes effect within 5 s.

    Raises:
        Unauthenticated: For every reason with the same text.
        RegionNotServed: The key belongs to another region; raised before any query.
        TenantSuspended: The tenant is not active.
        StoreUnavailable: The directory is not reachable.
    """
    digest = hashlib.blake2b(raw_key.encode("utf-8", "replace"), digest_size=16, key=_process_key).digest()
    cached_key = _cached_keys.get(digest)
    if cached_key is None or time.monotonic() - cached_key.checked_at >= CACHE_SECONDS:
        cached_key = _verify_key(raw_key)
        if cached_key.active:
            _store_key(digest, cached_key)
            key_use.record_use(cached_key.identity.tenant.id, cached_key.identity.key_id)
    if cached_key.expires_at <= time.time():
        raise Unauthenticated
    if cached_key.networks and not _is_in_networks(remote_ip, cached_key.networks):
        raise Unauthenticated
    if not cached_key.active:
        raise TenantSuspended
    return cached_key.identity


def clear_api_key_cache() -> None:
    """Clears the cache of this process. Entries of other processes expire within 5 s."""
    with _lock:
        _cached_keys.clear()


def _verify_key(raw_key: str) -> _CachedKey:
    parts = parse_api_key(raw_key)
    if parts is None or parts.region not in regions.list_configured():
        raise Unauthenticated
    regions.require_served(parts.region)
    started = time.monotonic()
    row = _fetch_key_row(parts.id)
    expected = bytes(row[0]) if row else _ABSENT_HMAC
    matches = hmac.compare_digest(expected, fingerprint(parts.secret, settings.LEPTON_KEY_PEPPER))
    if row is None or not matches or row[6] != parts.region:
        raise Unauthenticated
    return _build_cached_key(row, parts, started)


def _fetch_key_row(key_id: str) -> tuple[Any, ...] | None:
    try:
        with connections[CONTROL].cursor() as cursor:
            cursor.execute(_FIND_API_KEY, [key_id])
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable("The directory is not reachable.") from error


def _build_cached_key(row: tuple[Any, ...], parts: KeyParts, started: float) -> _CachedKey:
    _, scopes, cidrs, expires_at, tenant_id, slug, region, vertical, plan, status = row
    identity = KeyIdentity(
        tenant=TenantRef(tenant_id, region),
        tenant_slug=slug,
        vertical=vertical,
        plan=plan,
        key_id=parts.id,
        scopes=frozenset(scopes),
        actor=Actor("key", parts.id),
    )
    networks = tuple(map(ipaddress.ip_network, cidrs))
    return _CachedKey(
        identity=identity,
        networks=networks,
        expires_at=_to_timestamp(expires_at),
        checked_at=started,
        active=status == TenantStatus.ACTIVE,
    )


def _to_timestamp(expires_at: datetime | None) -> float:
    if expires_at is None:
        return float("inf")
    return expires_at.timestamp()


def _is_in_networks(remote_ip: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(remote_ip)
    except ValueError:
        return False
    # A dual-stack socket reports IPv4 clients as ::ffff:192.0.2.1.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in networks)


def _store_key(digest: bytes, cached_key: _CachedKey) -> None:
    with _lock:
        _cached_keys.pop(digest, None)
        # Dictionaries keep insertion order: the first entry is the oldest.
        while len(_cached_keys) >= _MAX_ENTRIES:
            del _cached_keys[next(iter(_cached_keys))]
        _cached_keys[digest] = cached_key
