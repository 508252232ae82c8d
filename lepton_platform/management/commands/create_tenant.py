"""Opens a tenant and prints its first API key."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.text import slugify

from tenants.control import actions, queries
from tenants.control.api_scopes import API_SCOPES
from tenants.control.read_models import TenantView
from tenants.control.region_defaults import get_region_defaults
from tenants.errors import DomainError, Invalid
from tenants.privacy.onboarding import open_tenant
from tenants.scope import Actor, control_scope

ACTOR = Actor("system", "create_tenant")


class Command(BaseCommand):
    help = "Opens a tenant: directory entry, keys, data, owner and a first API key, which is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        for required in ("--name", "--vertical", "--region"):
            parser.add_argument(required, required=True)
        for optional in ("--slug", "--language", "--currency", "--time-zone", "--owner"):
            parser.add_argument(optional)
        parser.add_argument("--plan", default="free")

    def handle(self, **options: Any) -> None:
        """Prints slug, region and API key. Raises CommandError for invalid values and taken slugs."""
        try:
            opened = self._open_tenant(options)
            with control_scope(opened.id, actor=ACTOR) as s:
                key = actions.create_api_key(s, name="First key", scopes=API_SCOPES)
        except Invalid as error:
            raise CommandError(" ".join(field_error.detail for field_error in error.errors)) from error
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"Tenant {opened.name} ({opened.slug}) is open in region {opened.region}.")
        self.stdout.write(f"API key, shown this once: {key.secret}")

    def _open_tenant(self, options: dict[str, Any]) -> TenantView:
        defaults = get_region_defaults(options["region"])
        # A name in another script has an empty slug.
        slug = options["slug"] or slugify(options["name"]) or f"tenant-{secrets.token_hex(3)}"
        owner = None
        if options["owner"]:
            owner = self._ensure_owner(options["owner"], defaults.language)
        return open_tenant(
            name=options["name"],
            slug=slug,
            vertical=options["vertical"],
            region=options["region"],
            language=options["language"] or defaults.language,
            currency=options["currency"] or defaults.currency,
            time_zone=options["time_zone"] or defaults.time_zone,
            plan=options["plan"],
            owner=owner,
            actor=ACTOR,
        )

    def _ensure_owner(self, email: str, language: str) -> Any:
        """The account with this address; a new one gets a random password, which is printed."""
        account = queries.find_user_by_email(email)
        if account is not None:
            return account
        password = secrets.token_urlsafe(15)
        account = actions.create_user(email=email, password=password, language=language, actor=ACTOR)
        self.stdout.write(f"Account {account.email}, password shown this once: {password}")
        return account
