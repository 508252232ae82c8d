"""Closes a tenant: suspends it and destroys its keys, so that its data can't be decrypted any more."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.tasks.tenants import get_view_by_slug
from tenants.control.actions import suspend_tenant
from tenants.errors import DomainError
from tenants.keys.actions import shred
from tenants.scope import Actor, control_scope

ACTOR = Actor("system", "close_tenant")


class Command(BaseCommand):
    help = (
        "Suspends a tenant and destroys all its keys. This can't be undone. Prints the signed certificate as JSON; "
        "a second run prints the same certificate."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the tenant's address name")
        parser.add_argument("--confirm", required=True, metavar="SLUG", help="the address name again")
        parser.add_argument("--reason", required=True, help="recorded in the audit log")

    def handle(self, **options: Any) -> None:
        slug = options["slug"]
        if options["confirm"] != slug:
            raise CommandError("--confirm must repeat the tenant's address name.")
        try:
            tenant = get_view_by_slug(slug, reason="close_tenant command")
            # Suspended first, so that no request fails halfway because its keys disappear.
            if tenant.status == "active":
                with control_scope(tenant.id, actor=ACTOR) as s:
                    suspend_tenant(s, reason=options["reason"])
            certificate = shred(tenant.ref, actor=ACTOR)
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(certificate.body.decode())
        signature = certificate.signature.hex() or "none: LEPTON_SIGNING_KEY is not set"
        self.stdout.write(f"Signature: {signature}")
