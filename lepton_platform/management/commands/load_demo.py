"""Loads and trains the demo tenants."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lepton_platform.demo.installation import DemoTenant, ensure_credentials, load_demo
from lepton_platform.demo.loading import DemoError
from lepton_platform.embedded.instance_directory import InstanceDirectory, write_private_json
from tenants.errors import DomainError


class Command(BaseCommand):
    help = "Loads and trains the demo tenants, and writes sign-in and API keys to $LEPTON_HOME/run.json."

    def handle(self, **_options: Any) -> None:
        """Writes run.json after all trainings have ended. Raises CommandError."""
        try:
            tenants = load_demo(self._print_progress)
            account = ensure_credentials()
        except (DemoError, DomainError) as error:
            raise CommandError(str(error)) from error
        run_file = {
            "base_url": settings.LEPTON_BASE_URL,
            "sign_in": asdict(account),
            "tenants": [asdict(tenant) for tenant in tenants],
            "curl": _build_curl_command(settings.LEPTON_BASE_URL, tenants[0]),
        }
        write_private_json(InstanceDirectory(settings.LEPTON_HOME).run_file, run_file)

    def _print_progress(self, text: str, fraction: float) -> None:
        """Redraws one line on a terminal; elsewhere prints a line for each new text."""
        if self.stdout.isatty():
            # \r returns to the start of the line, \033[K erases it.
            ending = "" if fraction < 1 else "\n"
            self.stdout.write(f"\r\033[K{fraction:6.1%}  {text}", ending=ending)
        elif text != self.previous_text:
            self.stdout.write(f"{fraction:6.1%}  {text}")
        self.previous_text = text
        self.stdout.flush()

    previous_text = ""


def _build_curl_command(base_url: str, tenant: DemoTenant) -> str:
    """A request for recommendations, quoted for a POSIX shell."""
    key = shlex.quote(f"Authorization: Bearer {tenant.api_key}")
    body = shlex.quote(json.dumps({"profile_id": tenant.example_profile, "k": 5, "reasons": True}))
    return f"curl -s {base_url}/api/v1/recommendations -H {key} -H 'Content-Type: application/json' -d {body}"
