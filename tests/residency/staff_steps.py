"""Steps of a tenant's lifecycle that staff run: `python -m tests.residency.staff_steps suspend TENANT_ID REGION`."""

from __future__ import annotations

import os
import sys
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")
django.setup()

from tenants.control.actions import suspend_tenant  # noqa: E402 - its models need the application
from tenants.keys.actions import shred  # noqa: E402
from tenants.regions import TenantRef  # noqa: E402
from tenants.scope import Actor, control_scope  # noqa: E402

STAFF = Actor("staff", "residency")


def suspend(tenant: TenantRef) -> None:
    with control_scope(tenant.id, actor=STAFF) as s:
        suspend_tenant(s, reason="The bill was not paid.")


def destroy_keys(tenant: TenantRef) -> None:
    shred(tenant, actor=STAFF)


STEPS = {"suspend": suspend, "destroy-keys": destroy_keys}

if __name__ == "__main__":
    STEPS[sys.argv[1]](TenantRef(UUID(sys.argv[2]), sys.argv[3]))
