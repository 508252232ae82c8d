"""The worker's identity for leases and the audit log, and look-ups of tenants for tasks and commands."""

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
    """The owner of this process's leases: host name and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def build_tenant_ref(tenant_id: str, region: str) -> TenantRef:
    """The reference of a tenant named in a message."""
    return TenantRef(UUID(tenant_id), region)


def iter_active_tenants(region: str, *, reason: str) -> Iterator[TenantRef]:
    """The active tenants of a region; no scope is open while the caller works on one."""
    with control_ops(
        "upkeep",
        actor=WORKER,
        reason=reason,
    ) as s:
        tenants = [view.ref for view in list_tenants(s) if view.region == region and view.status == "active"]
    yield from tenants


def get_tenant_by_slug(slug: str, *, reason: str) -> TenantRef:
    """For commands. Raises NotFound."""
    return get_view_by_slug(slug, reason=reason).ref


def get_view_by_slug(slug: str, *, reason: str) -> TenantView:
    """The tenant with its plan and other control-plane data, for commands. Raises NotFound."""
    with control_ops(
        "operator",
        actor=WORKER,
        reason=reason,
    ) as s:
        for view in list_tenants(s):
            if view.slug == slug:
                return view
    raise NotFound(f"There is no tenant {slug!r}.")
