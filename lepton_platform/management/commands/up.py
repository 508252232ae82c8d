"""Runs the whole platform on this machine."""

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
from lepton_platform.embedded.services import StatusCallback
from lepton_platform.env import BASE_DIR, get_home_directory, uses_embedded_services


class Command(BaseCommand):
    help = "Runs everything on this machine: services, migrations, demo tenants, web server, worker and beat."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="Start without the demo tenants.")

    def handle(self, **options: Any) -> None:
        """Returns after Ctrl-C or SIGTERM. Raises CommandError if something does not start or stay up."""
        # An orderly stop on SIGTERM and SIGHUP too, or the children would outlive this process.
        for signal_number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signal_number, _raise_interrupt)
        instance = LocalInstance(
            home=InstanceDirectory(get_home_directory(os.environ)),
            root=BASE_DIR,
            environ=os.environ,
            report=_build_reporter(self),
            embedded=uses_embedded_services(os.environ),
        )
        try:
            instance.run(with_demo=not options["no_demo"])
        except ServiceError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")


def _raise_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _build_reporter(command: BaseCommand) -> StatusCallback:
    started_at = time.monotonic()

    def report_line(line: str) -> None:
        command.stdout.write(f"[{time.monotonic() - started_at:6.1f} s] {line}")
        command.stdout.flush()

    return report_line
