"""The Celery application: one queue for each region. Messages are JSON and carry ids only; job rows in PostgreSQL hold the state."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from kombu.entity import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")

from django.conf import settings

from lepton_platform import logs

PLATFORM_QUEUE = "platform"


def region_queue(region: str) -> str:
    """Name of the queue of a region's tasks."""
    return f"region_{region}"


def list_served_queues() -> list[str]:
    """Queues of the regions that this process serves, and the queue of platform-wide tasks, which any worker may run."""
    return [PLATFORM_QUEUE, *(region_queue(region) for region in settings.LEPTON_SERVED_REGIONS)]


def _build_configuration() -> dict[str, Any]:
    queues = [_create_queue(PLATFORM_QUEUE)]
    queues += [_create_queue(region_queue(region)) for region in settings.LEPTON_REGIONS]
    return {
        "broker_url": settings.CELERY_BROKER_URL,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": _build_transport_options(settings.CELERY_BROKER_URL),
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_backend": None,
        "task_ignore_result": True,
        # A message is acknowledged after its task: a killed worker's task is delivered again.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": False,
        "task_default_queue": PLATFORM_QUEUE,
        # A misspelt queue name is an error instead of a queue without a worker.
        "task_create_missing_queues": False,
        "task_queues": queues,
        "timezone": "UTC",
        "beat_scheduler": "lepton_platform.tasks.scheduler:ServedRegionsScheduler",
    }


def _create_queue(name: str) -> Queue:
    return Queue(name)  # type: ignore[no-untyped-call]  # kombu has no types


def _build_transport_options(broker_url: str) -> dict[str, Any]:
    """Valkey redelivers a killed worker's task after `visibility_timeout` plus the restore interval, about 70 s.

    Tasks that take longer are redelivered too; the lease in the job row keeps them from running twice.
    """
    if not broker_url.startswith(("redis://", "rediss://")):
        return {}
    return {"visibility_timeout": 60, "unacked_restore_interval": 10, "unacked_restore_throttle": 1}


app = Celery("lepton")
app.config_from_object(_build_configuration())
app.autodiscover_tasks(["lepton_platform"])


@signals.celeryd_init.connect  # type: ignore[untyped-decorator]  # celery has no types
def _select_served_queues(**_kwargs: Any) -> None:
    """Restricts a worker without `--queues` to the queues of the regions that its process serves."""
    app.amqp.queues.select(list_served_queues())


@signals.setup_logging.connect  # type: ignore[untyped-decorator]  # celery has no types
def _configure_logging(**_kwargs: Any) -> None:
    """A receiver of this signal keeps Celery from installing its own handlers, which would write secrets."""
    logs.apply_logging()
