"""Entry point of `manage.py`: chooses the database role of a command and starts the embedded services it needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from django.core.management import execute_from_command_line

from lepton_platform.embedded.errors import ServiceError
from lepton_platform.embedded.services import ensure_services
from lepton_platform.env import get_home_directory, uses_embedded_services

_MIGRATOR_COMMANDS = {"migrate", "migrate_all", "sqlmigrate", "showmigrations"}
_COMMANDS_WITHOUT_DATA = {
    "compilemessages", "makemessages", "makemigrations", "collectstatic", "findstatic", "spectacular",
    "help", "version", "--help", "--version", "diffsettings",
}  # fmt: skip
_COMMANDS_WITH_OWN_SERVICES = {"up", "db", "bench"}


def needs_services(command: str, environment: Mapping[str, str]) -> bool:
    """Whether the command reads or writes data and no external database is configured."""
    if command in _COMMANDS_WITHOUT_DATA or command in _COMMANDS_WITH_OWN_SERVICES:
        return False
    return uses_embedded_services(environment)


def main(argv: Sequence[str]) -> None:
    """Runs a management command. Embedded services that are not running yet are started and stopped around it.

    Args:
        argv: as `sys.argv`.

    Raises:
        SystemExit: with status 1 when the embedded services do not start.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")
    command = argv[1] if len(argv) > 1 else "help"
    # The role must be set before Django reads the settings, which open one set of credentials only.
    if command in _MIGRATOR_COMMANDS:
        os.environ["LEPTON_ROLE"] = "migrate"
    elif command in _COMMANDS_WITHOUT_DATA or command in _COMMANDS_WITH_OWN_SERVICES:
        os.environ.setdefault("LEPTON_ROLE", "build")
    if not needs_services(command, os.environ):
        execute_from_command_line(list(argv))
        return
    try:
        services = ensure_services(get_home_directory(os.environ))
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    try:
        execute_from_command_line(list(argv))
    finally:
        services.stop()
