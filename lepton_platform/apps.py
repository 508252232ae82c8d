from __future__ import annotations

from typing import Any

from celery import signals
from django.apps import AppConfig

from lepton_platform import logs


class PlatformConfig(AppConfig):
    name = "lepton_platform"

    def ready(self) -> None:
        """Logging, then the checks that worker and beat run before they touch anything; `wsgi` runs them itself."""
        from lepton_platform.checks import exit_on_startup_errors  # noqa: PLC0415 - its models need ready apps

        def run_startup_checks(**_kwargs: Any) -> None:
            exit_on_startup_errors()

        logs.apply_logging()
        signals.worker_init.connect(run_startup_checks, weak=False)
        signals.beat_init.connect(run_startup_checks, weak=False)
