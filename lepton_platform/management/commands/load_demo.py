from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lepton_platform import demo
from lepton_platform.embedded.home import Home, write_private_json
from tenants.errors import DomainError


class Command(BaseCommand):
    help = "Loads and trains the demo tenants, and writes sign-in and API keys to $LEPTON_HOME/run.json."

    def handle(self, **_options: Any) -> None:
        try:
            tenants = demo.load(self._report)
            account = demo.sign_in()
        except (demo.DemoError, DomainError) as error:
            raise CommandError(str(error)) from error
        entries = [asdict(tenant) for tenant in tenants]
        facts = {
            "base_url": settings.LEPTON_BASE_URL,
            "sign_in": asdict(account),
            "tenants": entries,
            "curl": _curl(settings.LEPTON_BASE_URL, entries[0]["api_key"]),
        }
        write_private_json(Home(settings.LEPTON_HOME).run_file, facts)

    def _report(self, text: str, fraction: float) -> None:
        """One line that renews itself on a terminal; elsewhere a line for each text."""
        if self.stdout.isatty():
            self.stdout.write(f"\r\033[K{fraction:6.1%}  {text}", ending="" if fraction < 1 else "\n")
        elif text != self.last_text:
            self.stdout.write(f"{fraction:6.1%}  {text}")
        self.last_text = text
        self.stdout.flush()

    last_text = ""


def _curl(base_url: str, key: str) -> str:
    body = '{"profile_id": null, "session": [], "k": 5, "reasons": true}'
    return (
        f"curl -s {base_url}/api/v1/recommendations -H {shlex.quote(f'Authorization: Bearer {key}')} "
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )
