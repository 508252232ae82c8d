"""Beat's scheduler. Celery loads it by name: its models need Django to be ready."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django_celery_beat.schedulers import DatabaseScheduler

from lepton_platform.celery import list_served_queues


class ServedRegionsScheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat has no types
    """All regions' schedules stand in the one control plane; a beat sends only to queues that it serves.

    Another region's messages would wait in this region's broker, where nobody takes them, for ever.
    """

    def enabled_models_qs(self) -> Any:
        return super().enabled_models_qs().filter(Q(queue__isnull=True) | Q(queue__in=list_served_queues()))
