"""The production application with the baselines' addresses beside its own."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

application = get_wsgi_application()
settings.ROOT_URLCONF = "lepton_platform.bench.urls"
get_resolver().url_patterns  # noqa: B018 - reading it imports every view before the first request
