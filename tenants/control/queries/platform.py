"""The directory across tenants, for staff and for start-up checks."""

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
    """Every tenant, by address name. Needs `control_ops`: the directory is not for one tenant's scope."""
    if s.tenant is not None:
        raise ScopeRequired("The directory needs control_ops.")
    return [to_tenant_view(row) for row in Tenant.objects.order_by("slug")]


def find_opening_tenant(slug: str) -> TenantView | None:
    """A tenant whose setting up was interrupted."""
    row = Tenant.objects.filter(slug=slug, status=TenantStatus.OPENING).first()
    return to_tenant_view(row) if row else None


def find_user_by_email(email: str) -> User | None:
    return User.objects.filter(email=normalize_email(email)).first()


def list_regions() -> list[Region]:
    return list(Region.objects.order_by("code"))


def check_regions() -> list[str]:
    """One sentence for each disagreement between the settings and the directory; empty when all is well."""
    active = set(Region.objects.filter(active=True).values_list("code", flat=True))
    inhabited = set(Tenant.objects.values_list("region_id", flat=True).distinct())
    configured = set(settings.LEPTON_REGIONS)
    problems = [
        f"Region {code!r} is configured but not in the directory: run migrate_all."
        for code in sorted(configured - active)
    ]
    problems += [
        f"Tenants live in region {code!r}, which LEPTON_REGIONS does not list."
        for code in sorted(inhabited - configured)
    ]
    problems += [
        f"LEPTON_SERVED_REGIONS lists {code!r}, which LEPTON_REGIONS does not."
        for code in sorted(set(settings.LEPTON_SERVED_REGIONS) - configured)
    ]
    return problems
