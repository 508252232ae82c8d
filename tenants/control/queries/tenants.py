from __future__ import annotations

from django.db.models import Q

from tenants.control.models import AuditEntry, Tenant
from tenants.control.queries.mappers import to_tenant_view
from tenants.control.read_models import AuditView, TenantView
from tenants.errors import Invalid, NotFound
from tenants.scope import Scope


def get_tenant(s: Scope) -> TenantView:
    """The scope's own tenant. Raises NotFound."""
    row = Tenant.objects.filter(id=s.tenant_id).first()
    if row is None:
        raise NotFound("There is no such tenant.")
    return to_tenant_view(row)


def get_region(s: Scope) -> str:
    return get_tenant(s).region


def list_audit_entries(s: Scope, *, after: str | None = None, limit: int = 50) -> list[AuditView]:
    """Newest first; `after` is the id of the last entry seen. Raises Invalid for an unknown one."""
    entries = AuditEntry.objects.filter(tenant_id=s.tenant_id).order_by("-at", "-id")
    if after is not None:
        last = entries.filter(id=after).first()
        if last is None:
            raise Invalid.from_field("/after", "unknown_cursor", "There is no such entry.")
        entries = entries.filter(Q(at__lt=last.at) | Q(at=last.at, id__lt=last.id))
    return [
        AuditView(e.id, e.at, e.actor_kind, e.actor_id, e.verb, e.subject, e.facts) for e in entries[:limit]
    ]
