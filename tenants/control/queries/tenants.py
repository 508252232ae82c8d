from __future__ import annotations

from django.db.models import Q

from tenants.control.models import AuditEntry, Tenant
from tenants.control.queries.mappers import to_tenant_view
from tenants.control.read_models import AuditView, TenantView
from tenants.errors import Invalid, NotFound
from tenants.scope import Scope


def get_tenant(s: Scope) -> TenantView:
    """Returns the scope's tenant. Raises NotFound."""
    row = Tenant.objects.filter(id=s.tenant_id).first()
    if row is None:
        raise NotFound("There is no such tenant.")
    return to_tenant_view(row)


def get_region(s: Scope) -> str:
    """Returns the region of the scope's tenant. Raises NotFound."""
    return get_tenant(s).region


def list_audit_entries(s: Scope, *, after: str | None = None, limit: int = 50) -> list[AuditView]:
    """Returns audit entries, newest first. `after` is the id of the last entry of the previous page; Invalid if unknown."""
    entries = AuditEntry.objects.filter(tenant_id=s.tenant_id).order_by("-at", "-id")
    if after is not None:
        previous = entries.filter(id=after).first()
        if previous is None:
            raise Invalid.from_field("/after", "unknown_cursor", "There is no such entry.")
        # Keyset pagination on (at, id): several entries can have the same time.
        entries = entries.filter(Q(at__lt=previous.at) | Q(at=previous.at, id__lt=previous.id))
    views = []
    for entry in entries[:limit]:
        view = AuditView(
            id=entry.id,
            at=entry.at,
            actor_kind=entry.actor_kind,
            actor_id=entry.actor_id,
            verb=entry.verb,
            subject=entry.subject,
            facts=entry.facts,
        )
        views.append(view)
    return views
