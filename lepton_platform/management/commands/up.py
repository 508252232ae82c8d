from __future__ import annotations

import os
import signal
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lepton_platform.embedded.errors import ServiceError
from lepton_platform.embedded.instance_directory import InstanceDirectory
from lepton_platform.embedded.local_instance import LocalInstance
from lepton_platform.env import BASE_DIR, get_home_directory, uses_embedded_services


class Command(BaseCommand):
    help = "Runs everything on this machine: services, migrations, demo tenants, web server, worker and beat."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="Start without the demo tenants.")

    def handle(self, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _raise_interrupt)
        installation = LocalInstance(
            InstanceDirectory(get_home_directory(os.environ)),
            BASE_DIR,
            os.environ,
            _build_reporter(self),
            embedded=uses_embedded_services(os.environ),
        )
        try:
            installation.run(with_demo=not options["no_demo"])
        except ServiceError as failed:
            raise CommandError(str(failed)) from failed
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")


def _raise_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _build_reporter(command: BaseCommand) -> Any:
    began = time.monotonic()

    def report_line(line: str) -> None:
        command.stdout.write(f"[{time.monotonic() - began:6.1f} s] {line}")
        command.stdout.flush()

    return report_line
