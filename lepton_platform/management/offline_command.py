"""Commands that read files and need no database: they work on a machine where nothing is set up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from recommender.types import DataError, InsufficientDataError


class OfflineCommand(BaseCommand, ABC):
    """What cannot be read is one line and exit status 1."""

    requires_system_checks: list[str] = []

    @abstractmethod
    def run(self, options: Namespace) -> None:
        """Raises DataError or CannotFit."""

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            self.run(Namespace(**options))
        except (DataError, InsufficientDataError) as fault:
            raise CommandError(str(fault)) from fault
