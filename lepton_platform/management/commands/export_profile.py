"""Exports everything that a tenant stores about one profile, as JSON lines."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.tasks.tenants import get_tenant_by_slug
from tenants.errors import DomainError
from tenants.privacy.export import export_profile
from tenants.scope import Actor


class Command(BaseCommand):
    help = "Writes everything stored about one profile: attributes, events, reviews, recommendations."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--profile-id", required=True)
        parser.add_argument("--out", type=Path, help="a file of JSON lines; without it they are printed")

    def handle(self, **options: Any) -> None:
        """Writes JSON lines to --out or stdout. Raises CommandError for an unknown tenant."""
        try:
            tenant = get_tenant_by_slug(options["tenant"], reason="export of a profile")
            lines = export_profile(tenant, options["profile_id"], actor=Actor("system", "export_profile"))
        except DomainError as error:
            raise CommandError(str(error)) from error
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        if options["out"] is None:
            self.stdout.write(text, ending="")
            return
        options["out"].write_text(text, encoding="utf-8")
        self.stdout.write(f"{len(lines)} lines in {options['out']}")
