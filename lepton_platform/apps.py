from __future__ import annotations

from django.apps import AppConfig

from lepton_platform import logs


class PlatformConfig(AppConfig):
    name = "lepton_platform"

    def ready(self) -> None:
        """Logging first, then the checks that refuse to start on an unsafe installation."""
        from lepton_platform import checks  # noqa: PLC0415, F401 - registers checks; models must be loaded

        logs.apply()
