"""The directory across tenants, for staff and for start-up checks."""

from __future__ import annotations

from django.conf import settings

from tenants.control.fields import normal_email
from tenants.control.models import Region, Tenant, User
from tenants.control.models.tenant import Status
from tenants.control.queries.rows import tenant_view
from tenants.control.results import TenantView
from tenants.errors import ScopeRequired
from tenants.scope import Scope


def tenant_directory(s: Scope) -> list[TenantView]:
    """Every tenant, by address name. Needs `control_ops`: the directory is not for one tenant's scope."""
    if s.tenant is not None:
        raise ScopeRequired("The directory needs control_ops.")
    return [tenant_view(row) for row in Tenant.objects.order_by("slug")]


def half_made_tenant(slug: str) -> TenantView | None:
    """A tenant whose setting up was interrupted."""
    row = Tenant.objects.filter(slug=slug, status=Status.OPENING).first()
    return tenant_view(row) if row else None


def user_by_email(email: str) -> User | None:
    return User.objects.filter(email=normal_email(email)).first()


def regions_directory() -> list[Region]:
    return list(Region.objects.order_by("code"))


def region_problems() -> list[str]:
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
        f"LEPTON_SERVES lists {code!r}, which LEPTON_REGIONS does not."
        for code in sorted(set(settings.LEPTON_SERVES) - configured)
    ]
    return problems
