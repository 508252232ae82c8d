"""The production application with the URLs of the baselines added."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")

from django.conf import settings

from lepton_platform import wsgi_handlers
from lepton_platform.gc_tuning import freeze_gc

settings.ROOT_URLCONF = "lepton_platform.bench.urls"
application = wsgi_handlers.build_application()
freeze_gc()
