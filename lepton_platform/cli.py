"""How `manage.py` prepares a command: which database role it gets, and whether it needs running services."""

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
    "evaluate_education", "evaluate_language", "train_sentiment", "convert_demo", "help", "version", "--help", "--version", "diffsettings",
}  # fmt: skip
_COMMANDS_WITH_OWN_SERVICES = {"up", "db", "bench"}


def needs_services(command: str, environment: Mapping[str, str]) -> bool:
    """Whether the embedded services have to run while this command does."""
    return command not in _COMMANDS_WITHOUT_DATA | _COMMANDS_WITH_OWN_SERVICES and uses_embedded_services(
        environment
    )


def main(argv: Sequence[str]) -> None:
    """Embedded services that no other process runs are started for the length of the command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")
    command = argv[1] if len(argv) > 1 else "help"
    if command in _MIGRATOR_COMMANDS:
        os.environ["LEPTON_ROLE"] = "migrate"
    elif command in _COMMANDS_WITHOUT_DATA or command in _COMMANDS_WITH_OWN_SERVICES:
        os.environ.setdefault("LEPTON_ROLE", "build")
    if not needs_services(command, os.environ):
        execute_from_command_line(list(argv))
        return
    try:
        services = ensure_services(get_home_directory(os.environ))
    except ServiceError as failed:
        sys.stderr.write(f"{failed}\n")
        raise SystemExit(1) from None
    try:
        execute_from_command_line(list(argv))
    finally:
        services.stop()
