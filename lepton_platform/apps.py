from __future__ import annotations

from typing import Any

from celery import signals
from django.apps import AppConfig

from lepton_platform import logs


class PlatformConfig(AppConfig):
    name = "lepton_platform"

    def ready(self) -> None:
        """Logging, then the checks that worker and beat run before they touch anything; `wsgi` runs them itself."""
        from lepton_platform.checks import refuse_unless_safe  # noqa: PLC0415 - its models need ready apps

        def refuse(**_kwargs: Any) -> None:
            refuse_unless_safe()

        logs.apply()
        signals.worker_init.connect(refuse, weak=False)
        signals.beat_init.connect(refuse, weak=False)
