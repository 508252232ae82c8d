"""The production application with the baselines' addresses beside its own."""

from __future__ import annotations

from lepton_platform.wsgi import application

from django.conf import settings  # isort: skip - after Django is set up

settings.ROOT_URLCONF = "lepton_platform.bench.urls"

__all__ = ["application"]
