"""Who works: the name that stands on leases and in the audit log."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from uuid import UUID

from tenants.control.queries import tenant_directory
from tenants.control.results import TenantView
from tenants.errors import NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops

WORKER = Actor("system", "worker")


def owner() -> str:
    """One name for each process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def ref(tenant_id: str, region: str) -> TenantRef:
    return TenantRef(UUID(tenant_id), region)


def tenants_of(region: str, *, reason: str) -> Iterator[TenantRef]:
    """Active tenants of a region, one after the other, with no scope open between them."""
    with control_ops("upkeep", actor=WORKER, reason=reason) as s:
        found = [
            view.ref for view in tenant_directory(s) if view.region == region and view.status == "active"
        ]
    yield from found


def tenant_by_slug(slug: str, *, reason: str) -> TenantRef:
    """For commands. Raises NotFound."""
    return view_by_slug(slug, reason=reason).ref


def view_by_slug(slug: str, *, reason: str) -> TenantView:
    """The same with its plan and whatever else the control plane knows."""
    with control_ops("operator", actor=WORKER, reason=reason) as s:
        found = next((view for view in tenant_directory(s) if view.slug == slug), None)
    if found is None:
        raise NotFound(f"There is no tenant {slug!r}.")
    return found
