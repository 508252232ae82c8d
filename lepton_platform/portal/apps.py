"""Django application of the portal."""

from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "lepton_platform.portal"
    label = "portal"
