"""The periodic tasks of each region that this process serves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings

from lepton_platform.celery import app, region_queue

TASK_INTERVALS = {
    "lepton.relay": timedelta(seconds=1),
    "lepton.sweep": timedelta(seconds=30),
    "lepton.merge": timedelta(minutes=1),
    "lepton.fold": timedelta(seconds=30),
    "lepton.embed_images": timedelta(minutes=1),
    "lepton.refresh": timedelta(minutes=10),
    "lepton.monitor": timedelta(minutes=15),
    "lepton.drift": timedelta(hours=6),
    "lepton.clean": timedelta(hours=1),
}
_MIN_EXPIRY_SECONDS = 5.0


def build_schedule_entries() -> dict[str, dict[str, Any]]:
    """Celery beat entries by name, "task region"."""
    entries: dict[str, dict[str, Any]] = {}
    for region in settings.LEPTON_SERVED_REGIONS:
        for task, interval in TASK_INTERVALS.items():
            # A message that waited for a whole interval is dropped: the next one does the same work.
            expires = max(interval.total_seconds(), _MIN_EXPIRY_SECONDS)
            entries[f"{task} {region}"] = {
                "task": task,
                "schedule": interval,
                "kwargs": {"region": region},
                "options": {"queue": region_queue(region), "expires": expires},
            }
    return entries


def install_schedule() -> None:
    """Adds the entries to the Celery app's schedule."""
    app.conf.beat_schedule = {**(app.conf.beat_schedule or {}), **build_schedule_entries()}
