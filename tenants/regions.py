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
    """A tenant's id and region: all that is needed to open a scope."""

    id: UUID
    region: str


def list_configured() -> tuple[str, ...]:
    """Returns all regions of the installation, in settings order."""
    return tuple(settings.LEPTON_REGIONS)


def list_served() -> tuple[str, ...]:
    """Returns the regions this process may access, in settings order."""
    return tuple(settings.LEPTON_SERVED_REGIONS)


def require_served(region: str) -> None:
    """Raises RegionNotServed if this process may not access the region."""
    if region not in settings.LEPTON_SERVED_REGIONS:
        raise RegionNotServed(f"Region {region!r} is not served here.")


def get_data_alias(region: str) -> str:
    """Returns the alias of the region's data database. Raises RegionNotServed."""
    require_served(region)
    return f"data_{region}"


def get_keys_alias(region: str) -> str:
    """Returns the alias of the region's keys database. Raises RegionNotServed."""
    require_served(region)
    return f"keys_{region}"


def get_object_store_url(region: str) -> str:
    """Returns the URL of the region's object store. Raises RegionNotServed."""
    require_served(region)
    return str(settings.LEPTON_REGIONS[region].object_store_url)


def get_kms_url(region: str) -> str:
    """Returns the URL of the region's key service. Raises RegionNotServed."""
    require_served(region)
    return str(settings.LEPTON_REGIONS[region].kms_url)


def derive_scope_key(alias: str) -> bytes:
    """Derives the HMAC key that signs claims for one database; the database holds only the key's pads.

    The alias is part of the derivation, so a claim for a region's data database is not valid in its keys database.
    Raises RegionNotServed.
    """
    region = alias.partition("_")[2]
    if region:
        require_served(region)
        configured = settings.LEPTON_REGIONS[region].scope_key
    else:
        configured = settings.LEPTON_CONTROL_SCOPE_KEY
    return hmac.digest(configured, alias.encode(), "sha256")
