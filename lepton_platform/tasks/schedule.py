"""What beat starts, for each region that this process serves."""

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


def build_schedule_entries() -> dict[str, dict[str, Any]]:
    """A message that waited longer than its period is dropped: the next one does the same work."""
    return {
        f"{task} {region}": {
            "task": task,
            "schedule": every,
            "kwargs": {"region": region},
            "options": {
                "queue": region_queue(region),
                "expires": max(every.total_seconds(), 5.0),
            },
        }
        for region in settings.LEPTON_SERVED_REGIONS
        for task, every in TASK_INTERVALS.items()
    }


def install_schedule() -> None:
    app.conf.beat_schedule = {**(app.conf.beat_schedule or {}), **build_schedule_entries()}
