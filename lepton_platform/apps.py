from __future__ import annotations

from typing import Any

from celery import signals
from django.apps import AppConfig

from lepton_platform import logs


class PlatformConfig(AppConfig):
    name = "lepton_platform"

    def ready(self) -> None:
        """Configures logging and connects the start-up checks of Celery's worker and beat.

        Web processes run the checks in `lepton_platform.wsgi`.
        """
        from lepton_platform.checks import exit_on_startup_errors  # noqa: PLC0415 - its models need ready apps

        def run_startup_checks(**_kwargs: Any) -> None:
            exit_on_startup_errors()

        logs.apply_logging()
        # weak=False: a weak reference would drop the receiver when this method returns.
        signals.worker_init.connect(run_startup_checks, weak=False)
        signals.beat_init.connect(run_startup_checks, weak=False)
