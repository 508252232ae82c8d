"""The scheduler of Celery beat. Celery imports it by name, because its models need Django to be set up."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django_celery_beat.schedulers import DatabaseScheduler

from lepton_platform.celery import list_served_queues


class ServedRegionsScheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat has no types
    """Schedules the tasks of served regions only.

    The control plane stores the schedules of all regions. A message for another region would stay in this region's broker forever,
    because no worker here consumes its queue.
    """

    def enabled_models_qs(self) -> Any:
        """The enabled schedules without a queue, or with a queue of a served region."""
        return super().enabled_models_qs().filter(Q(queue__isnull=True) | Q(queue__in=list_served_queues()))
