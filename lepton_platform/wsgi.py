"""Entry point of the web server: loads the application, then refuses to serve if a start-up check fails."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")

from lepton_platform import wsgi_handlers

application = wsgi_handlers.build_application()

from lepton_platform.checks import exit_on_startup_errors  # noqa: E402 - its models need the application
from lepton_platform.gc_tuning import freeze_gc  # noqa: E402 - follows the application

exit_on_startup_errors()
freeze_gc()
