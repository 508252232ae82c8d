"""Opens tenants for tests with the product's own action."""

from __future__ import annotations

import secrets
from typing import Any

from tenants.control.region_defaults import get_region_defaults
from tenants.privacy.onboarding import open_tenant
from tenants.regions import TenantRef
from tenants.scope import Actor


def open_test_tenant(
    *, actor: Actor, vertical: str = "ecommerce", region: str = "eu", plan: str = "growth", **options: Any
) -> TenantRef:
    slug = options.pop("slug", None) or f"t-{secrets.token_hex(6)}"
    defaults = get_region_defaults(region)
    opened_tenant = open_tenant(
        name=options.pop("name", slug),
        slug=slug,
        vertical=vertical,
        region=region,
        language=options.pop("language", defaults.language),
        currency=defaults.currency,
        time_zone=defaults.time_zone,
        plan=plan,
        owner=options.pop("owner", None),
        actor=actor,
    )
    assert not options, f"unknown: {options}"
    return opened_tenant.ref
