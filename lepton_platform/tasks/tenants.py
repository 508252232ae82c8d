"""Who works: the name that stands on leases and in the audit log."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from uuid import UUID

from tenants.control.queries import list_tenants
from tenants.control.read_models import TenantView
from tenants.errors import NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops

WORKER = Actor("system", "worker")


def get_worker_name() -> str:
    """One name for each process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def build_tenant_ref(tenant_id: str, region: str) -> TenantRef:
    return TenantRef(UUID(tenant_id), region)


def iter_active_tenants(region: str, *, reason: str) -> Iterator[TenantRef]:
    """Active tenants of a region, one after the other, with no scope open between them."""
    with control_ops("upkeep", actor=WORKER, reason=reason) as s:
        found = [view.ref for view in list_tenants(s) if view.region == region and view.status == "active"]
    yield from found


def get_tenant_by_slug(slug: str, *, reason: str) -> TenantRef:
    """For commands. Raises NotFound."""
    return get_view_by_slug(slug, reason=reason).ref


def get_view_by_slug(slug: str, *, reason: str) -> TenantView:
    """The same with its plan and whatever else the control plane knows."""
    with control_ops("operator", actor=WORKER, reason=reason) as s:
        found = next((view for view in list_tenants(s) if view.slug == slug), None)
    if found is None:
        raise NotFound(f"There is no tenant {slug!r}.")
    return found
