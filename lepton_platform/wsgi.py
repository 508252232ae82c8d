from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")

from lepton_platform import handlers

application = handlers.application()

from lepton_platform.checks import refuse_unless_safe  # noqa: E402 - its models need the application
from lepton_platform.settling import settle  # noqa: E402 - follows the application

refuse_unless_safe()
settle()
