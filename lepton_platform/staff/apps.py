"""Django application of the staff pages."""

from __future__ import annotations

from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "lepton_platform.staff"
    label = "staff"
