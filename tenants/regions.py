"""Regions and the databases behind them. A tenant lives in exactly one region."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from tenants.errors import RegionNotServed

CONTROL = "default"


@dataclass(frozen=True, slots=True)
class TenantRef:
    """A tenant and where its data lives; nothing else is needed to open its space."""

    id: UUID
    region: str


def list_configured() -> tuple[str, ...]:
    return tuple(settings.LEPTON_REGIONS)


def list_served() -> tuple[str, ...]:
    """Regions this process may touch, in settings order."""
    return tuple(settings.LEPTON_SERVED_REGIONS)


def require_served(region: str) -> None:
    """Raises RegionNotServed; nothing is read or written for another region."""
    if region not in settings.LEPTON_SERVED_REGIONS:
        raise RegionNotServed(f"Region {region!r} is not served here.")


def get_data_alias(region: str) -> str:
    require_served(region)
    return f"data_{region}"


def get_keys_alias(region: str) -> str:
    require_served(region)
    return f"keys_{region}"


def get_object_store_url(region: str) -> str:
    require_served(region)
    return str(settings.LEPTON_REGIONS[region].object_store_url)


def get_kms_url(region: str) -> str:
    require_served(region)
    return str(settings.LEPTON_REGIONS[region].kms_url)


def derive_scope_key(alias: str) -> bytes:
    """The key that signs claims for one database; the database holds only its HMAC pads.

    Derived from the configured key, so that a claim for a region's data is no claim for its keys.
    """
    region = alias.partition("_")[2]
    if region:
        require_served(region)
    configured = settings.LEPTON_REGIONS[region].scope_key if region else settings.LEPTON_CONTROL_SCOPE_KEY
    return hmac.digest(configured, alias.encode(), "sha256")
