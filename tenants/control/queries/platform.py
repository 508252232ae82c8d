"""Queries on the directory of all tenants, for staff pages and start-up checks."""

from __future__ import annotations

from django.conf import settings

from tenants.control.fields import normalize_email
from tenants.control.models import Region, Tenant, User
from tenants.control.models.tenant import TenantStatus
from tenants.control.queries.mappers import to_tenant_view
from tenants.control.read_models import TenantView
from tenants.errors import ScopeRequired
from tenants.scope import Scope


def list_tenants(s: Scope) -> list[TenantView]:
    """Returns all tenants, ordered by slug. Raises ScopeRequired unless the scope is `control_ops`."""
    if s.tenant is not None:
        raise ScopeRequired("The directory needs control_ops.")
    return [to_tenant_view(row) for row in Tenant.objects.order_by("slug")]


def find_opening_tenant(slug: str) -> TenantView | None:
    """Returns the tenant with this slug if its onboarding was interrupted, else None."""
    row = Tenant.objects.filter(slug=slug, status=TenantStatus.OPENING).first()
    return to_tenant_view(row) if row else None


def find_user_by_email(email: str) -> User | None:
    """Returns the account of an e-mail address, or None."""
    return User.objects.filter(email=normalize_email(email)).first()


def list_regions() -> list[Region]:
    """Returns all regions of the directory, ordered by code."""
    return list(Region.objects.order_by("code"))


def check_regions() -> list[str]:
    """Returns one message per difference between the settings and the directory."""
    active = set(Region.objects.filter(active=True).values_list("code", flat=True))
    inhabited = set(Tenant.objects.values_list("region_id", flat=True).distinct())
    configured = set(settings.LEPTON_REGIONS)
    served = set(settings.LEPTON_SERVED_REGIONS)
    problems = []
    for code in sorted(configured - active):
        problems.append(f"Region {code!r} is configured but not in the directory: run migrate_all.")
    for code in sorted(inhabited - configured):
        problems.append(f"Tenants live in region {code!r}, which LEPTON_REGIONS does not list.")
    for code in sorted(served - configured):
        problems.append(f"LEPTON_SERVED_REGIONS lists {code!r}, which LEPTON_REGIONS does not.")
    return problems
