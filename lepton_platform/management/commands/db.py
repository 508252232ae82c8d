from __future__ import annotations

import os
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.embedded.errors import ServiceError
from lepton_platform.embedded.services import EmbeddedServices, ensure_services
from lepton_platform.env import get_home_directory


class Command(BaseCommand):
    help = "Runs the embedded PostgreSQL and Valkey alone, until Ctrl-C; other commands then use them."
    requires_system_checks: list[str] = []

    def handle(self, **_options: Any) -> None:
        """Returns after Ctrl-C. Raises CommandError if an engine does not start or the services run already."""
        try:
            services = ensure_services(get_home_directory(os.environ), report=self.stdout.write)
            if not services.is_owned:
                raise CommandError(f"The services of {services.home.path} already run.")
            self.stdout.write(f"Running; settings are in {services.home.services_file}.")
            self._keep_running(services)
        except ServiceError as error:
            raise CommandError(str(error)) from error

    def _keep_running(self, services: EmbeddedServices) -> None:
        """Restarts engines that exit, until Ctrl-C."""
        try:
            while True:
                for name in services.restart_dead():
                    self.stdout.write(f"{name} had died and runs again")
                time.sleep(0.2)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        finally:
            services.stop()
