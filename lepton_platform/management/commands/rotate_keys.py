"""Rotates keys of one tenant or of a whole region and says what was done."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants.control import queries
from tenants.crypto import Purpose
from tenants.crypto.purposes import HASHING_PURPOSES
from tenants.errors import DomainError, NotFound
from tenants.keys import actions
from tenants.keys.queries import list_tenants_with_keys
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops

ACTOR = Actor("system", "rotate_keys")
LAZY_PURPOSES = sorted(set(Purpose) - HASHING_PURPOSES)


class Command(BaseCommand):
    help = (
        "region-kek: a new root key, every tenant's KEK is wrapped anew. tenant-kek: a new KEK, the tenant's keys "
        "are wrapped anew. purpose: adds a key; run again two minutes later, it is promoted. No data row is rewritten."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--tenant", metavar="SLUG")
        whose.add_argument("--region", metavar="CODE")
        parser.add_argument("--what", required=True, choices=["region-kek", "tenant-kek", "purpose"])
        parser.add_argument(
            "--purpose", choices=LAZY_PURPOSES, help="without it, every purpose that rotates lazily"
        )

    def handle(self, **options: Any) -> None:
        if options["what"] == "region-kek" and not options["region"]:
            raise CommandError("A region's key is rotated with --region.")
        if options["purpose"] and options["what"] != "purpose":
            raise CommandError("--purpose goes with --what purpose.")
        try:
            self._rotate_keys(options)
        except DomainError as error:
            raise CommandError(error.detail) from error

    def _rotate_keys(self, options: dict[str, Any]) -> None:
        if options["what"] == "region-kek":
            count = actions.rotate_region_kek(options["region"], actor=ACTOR)
            self.stdout.write(f"Region {options['region']}: new root key; KEKs wrapped anew: {count}.")
            return
        purposes = [Purpose(options["purpose"])] if options["purpose"] else LAZY_PURPOSES
        for tenant in _resolve_tenants(options):
            if options["what"] == "tenant-kek":
                moved = actions.rotate_tenant_kek(tenant, actor=ACTOR)
                self.stdout.write(f"Tenant {tenant.id}: new KEK; keys wrapped anew: {moved}.")
            else:
                self._rotate_purposes(tenant, purposes)

    def _rotate_purposes(self, tenant: TenantRef, purposes: list[Purpose]) -> None:
        for purpose in purposes:
            step = actions.rotate_purpose_key(tenant, purpose, actor=ACTOR)
            self.stdout.write(f"Tenant {tenant.id}: {purpose} key {step.key_id} {step.stage}.")


def _resolve_tenants(options: dict[str, Any]) -> list[TenantRef]:
    if options["region"]:
        region = options["region"]
        return [TenantRef(found, region) for found in list_tenants_with_keys(region, actor=ACTOR)]
    with control_ops("rotate-keys", actor=ACTOR, reason="address name to tenant") as s:
        found = [tenant.ref for tenant in queries.list_tenants(s) if tenant.slug == options["tenant"]]
    if not found:
        raise NotFound(f"There is no tenant {options['tenant']!r}.")
    return found
