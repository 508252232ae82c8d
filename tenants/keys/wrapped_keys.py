"""Wrapping and unwrapping of key rows. A row's fields are bound to its key, so a changed or moved row is rejected."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from tenants.crypto import KeyHandle, Kms, Purpose, create_kms_from_url
from tenants.crypto.wrapping import unwrap, wrap
from tenants.keys.models import PurposeKey, TenantKey
from tenants.regions import get_kms_url

WrappingContext = dict[str, str]


def get_kms(region: str) -> Kms:
    """Returns the client of the region's key service. Raises RegionNotServed."""
    return _create_kms(get_kms_url(region))


@lru_cache(maxsize=32)
def _create_kms(url: str) -> Kms:
    return create_kms_from_url(url)


def wrap_kek(row: TenantKey, key: KeyHandle, *, region: str) -> bytes:
    """Wraps a KEK under the region's root key, bound to `row`. Raises KeyServiceUnavailable."""
    return get_kms(region).wrap(key.reveal_material(), context=_build_kek_context(row, region))


def unwrap_kek(row: TenantKey, *, region: str) -> KeyHandle:
    """Unwraps a KEK. Raises KeyServiceUnavailable, and DecryptionFailed for a row that was changed or moved."""
    return KeyHandle(get_kms(region).unwrap(bytes(row.wrapped), context=_build_kek_context(row, region)))


def wrap_key(
    row: PurposeKey,
    key: KeyHandle,
    *,
    kek: KeyHandle,
    region: str,
) -> bytes:
    """Wraps a purpose key under the tenant's KEK, bound to `row`."""
    return wrap(kek, key, context=_build_key_context(row, region))


def unwrap_key(row: PurposeKey, *, kek: KeyHandle, region: str) -> KeyHandle:
    """Unwraps a purpose key. Raises DecryptionFailed for a row that was changed or moved."""
    return unwrap(kek, bytes(row.wrapped), context=_build_key_context(row, region))


def _build_kek_context(row: TenantKey, region: str) -> WrappingContext:
    return {**_build_row_context("tenant-kek", row.tenant_id, row.id, region), "version": str(row.version)}


def _build_key_context(row: PurposeKey, region: str) -> WrappingContext:
    return {
        **_build_row_context("purpose-key", row.tenant_id, row.id, region),
        "purpose": Purpose(row.purpose).value,
        "key_id": str(row.key_id),
        "kek": str(row.kek_version),
    }


def _build_row_context(
    use: str,
    tenant_id: UUID,
    row_id: UUID,
    region: str,
) -> WrappingContext:
    return {"use": use, "region": region, "tenant": str(tenant_id), "row": str(row_id)}
