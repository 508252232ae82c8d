"""Rotates keys of one tenant or of all tenants of a region."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.tasks.tenants import get_tenant_by_slug
from tenants.crypto import Purpose
from tenants.crypto.purposes import HASHING_PURPOSES
from tenants.errors import DomainError
from tenants.keys import actions
from tenants.keys.queries import list_tenants_with_keys
from tenants.regions import TenantRef
from tenants.scope import Actor

ACTOR = Actor("system", "rotate_keys")
# Keys of hashing purposes can't be rotated: a new key would give other hashes for the same input.
ROTATED_PURPOSES = sorted(set(Purpose) - HASHING_PURPOSES)


class Command(BaseCommand):
    help = (
        "region-kek: creates a root key and rewraps every tenant's KEK. tenant-kek: creates a KEK and rewraps the "
        "tenant's keys. purpose: adds a key; a run at least two minutes later promotes it. No data row is "
        "rewritten. Needs --tenant or --region."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        target = parser.add_mutually_exclusive_group(required=True)
        target.add_argument("--tenant", metavar="SLUG")
        target.add_argument("--region", metavar="CODE")
        parser.add_argument("--key-type", required=True, choices=["region-kek", "tenant-kek", "purpose"])
        parser.add_argument(
            "--purpose",
            choices=ROTATED_PURPOSES,
            help="without it, every purpose except pseudonym and tombstone",
        )

    def handle(self, **options: Any) -> None:
        """Prints a line for each rotated key. Raises CommandError for contradicting options and unknown targets."""
        if options["key_type"] == "region-kek" and not options["region"]:
            raise CommandError("A region's key is rotated with --region.")
        if options["purpose"] and options["key_type"] != "purpose":
            raise CommandError("--purpose requires --key-type purpose.")
        try:
            self._rotate_keys(options)
        except DomainError as error:
            raise CommandError(error.detail) from error

    def _rotate_keys(self, options: dict[str, Any]) -> None:
        if options["key_type"] == "region-kek":
            count = actions.rotate_region_kek(options["region"], actor=ACTOR)
            self.stdout.write(f"Region {options['region']}: new root key; KEKs rewrapped: {count}.")
            return
        purposes = ROTATED_PURPOSES
        if options["purpose"]:
            purposes = [Purpose(options["purpose"])]
        for tenant in _resolve_tenants(options):
            if options["key_type"] == "tenant-kek":
                count = actions.rotate_tenant_kek(tenant, actor=ACTOR)
                self.stdout.write(f"Tenant {tenant.id}: new KEK; keys rewrapped: {count}.")
            else:
                self._rotate_purposes(tenant, purposes)

    def _rotate_purposes(self, tenant: TenantRef, purposes: list[Purpose]) -> None:
        for purpose in purposes:
            step = actions.rotate_purpose_key(tenant, purpose, actor=ACTOR)
            self.stdout.write(f"Tenant {tenant.id}: {purpose} key {step.key_id} {step.stage}.")


def _resolve_tenants(options: dict[str, Any]) -> list[TenantRef]:
    """The tenant named by --tenant, or all tenants with keys in --region. Raises NotFound."""
    region = options["region"]
    if region:
        return [TenantRef(tenant_id, region) for tenant_id in list_tenants_with_keys(region, actor=ACTOR)]
    return [get_tenant_by_slug(options["tenant"], reason="rotate_keys command")]
