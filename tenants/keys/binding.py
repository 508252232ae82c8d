"""Wrapped keys to handles and back. What a row says is bound to its key: a swapped row does not open."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from tenants.crypto import KeyHandle, Kms, Purpose, kms_from_url
from tenants.crypto.wrapping import unwrap, wrap
from tenants.keys.models import PurposeKey, TenantKey
from tenants.regions import kms_url

Context = dict[str, str]


def kms(region: str) -> Kms:
    """Raises RegionNotServed."""
    return _kms(kms_url(region))


@lru_cache(maxsize=32)
def _kms(url: str) -> Kms:
    return kms_from_url(url)


def wrapped_kek(row: TenantKey, key: KeyHandle, *, region: str) -> bytes:
    return kms(region).wrap(key.material(), context=_kek_context(row, region))


def kek_of(row: TenantKey, *, region: str) -> KeyHandle:
    """Raises KeyServiceUnavailable; DecryptionFailed for a row that was changed or moved."""
    return KeyHandle(kms(region).unwrap(bytes(row.wrapped), context=_kek_context(row, region)))


def wrapped_key(row: PurposeKey, key: KeyHandle, *, kek: KeyHandle, region: str) -> bytes:
    return wrap(kek, key, context=_key_context(row, region))


def key_of(row: PurposeKey, *, kek: KeyHandle, region: str) -> KeyHandle:
    """Raises DecryptionFailed for a row that was changed or moved."""
    return unwrap(kek, bytes(row.wrapped), context=_key_context(row, region))


def _kek_context(row: TenantKey, region: str) -> Context:
    return {**_row_context("tenant-kek", row.tenant_id, row.id, region), "version": str(row.version)}


def _key_context(row: PurposeKey, region: str) -> Context:
    return {
        **_row_context("purpose-key", row.tenant_id, row.id, region),
        "purpose": Purpose(row.purpose).value,
        "key_id": str(row.key_id),
        "kek": str(row.kek_version),
    }


def _row_context(use: str, tenant_id: UUID, row_id: UUID, region: str) -> Context:
    return {"use": use, "region": region, "tenant": str(tenant_id), "row": str(row_id)}
