"""From an API key to its tenant, before any scope exists."""

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
from tenants.control.key_format import KeyParts, fingerprint, parse
from tenants.control.models.tenant import Status
from tenants.control.results import KeyIdentity
from tenants.errors import StoreUnavailable, TenantSuspended, Unauthenticated
from tenants.regions import CONTROL, TenantRef
from tenants.scope import Actor

CACHED_SECONDS = 5.0
_MOST_ENTRIES = 20_000
_FIND = """
SELECT secret_hmac, scopes, cidrs, expires_at, tenant_id, tenant_slug, region, vertical, plan, status
FROM app.find_api_key(%s)
"""
_ABSENT = bytes(32)


@dataclass(frozen=True, slots=True)
class _Known:
    identity: KeyIdentity
    networks: tuple[IPv4Network | IPv6Network, ...]
    expires_at: float
    checked_at: float
    active: bool


_known: dict[bytes, _Known] = {}
_lock = threading.Lock()
_process_key = os.urandom(32)


def authenticate(raw_key: str, *, remote_ip: str) -> KeyIdentity:
    """Who calls. A revocation takes effect within 5 s.

    Raises Unauthenticated with one and the same text for every reason, RegionNotServed before any query,
    TenantSuspended, StoreUnavailable.
    """
    digest = hashlib.blake2b(raw_key.encode("utf-8", "replace"), digest_size=16, key=_process_key).digest()
    known = _known.get(digest)
    if known is None or time.monotonic() - known.checked_at >= CACHED_SECONDS:
        known = _look_up(raw_key)
        if known.active:
            _remember(digest, known)
            key_use.note(known.identity.tenant.id, known.identity.key_id)
    if known.expires_at <= time.time() or (known.networks and not _inside(remote_ip, known.networks)):
        raise Unauthenticated
    if not known.active:
        raise TenantSuspended
    return known.identity


def forget_keys() -> None:
    """Empties this process's cache; other processes follow within 5 s."""
    with _lock:
        _known.clear()


def _look_up(raw_key: str) -> _Known:
    parts = parse(raw_key)
    if parts is None or parts.region not in regions.known():
        raise Unauthenticated
    regions.require_served(parts.region)
    started = time.monotonic()
    row = _row(parts.id)
    expected = bytes(row[0]) if row else _ABSENT
    matches = hmac.compare_digest(expected, fingerprint(parts.secret, settings.LEPTON_KEY_PEPPER))
    if row is None or not matches or row[6] != parts.region:
        raise Unauthenticated
    return _known_from(row, parts, started)


def _row(key_id: str) -> tuple[Any, ...] | None:
    try:
        with connections[CONTROL].cursor() as cursor:
            cursor.execute(_FIND, [key_id])
            found: tuple[Any, ...] | None = cursor.fetchone()
            return found
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable("The directory does not answer.") from error


def _known_from(row: tuple[Any, ...], parts: KeyParts, started: float) -> _Known:
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
    return _Known(identity, networks, _seconds(expires_at), started, status == Status.ACTIVE)


def _seconds(moment: datetime | None) -> float:
    return float("inf") if moment is None else moment.timestamp()


def _inside(remote_ip: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(remote_ip)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def _remember(digest: bytes, known: _Known) -> None:
    with _lock:
        _known.pop(digest, None)
        while len(_known) >= _MOST_ENTRIES:
            del _known[next(iter(_known))]
        _known[digest] = known
