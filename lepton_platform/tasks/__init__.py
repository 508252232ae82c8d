"""Celery tasks. A message carries ids only, the database row is authoritative, and every task may run twice."""

from lepton_platform.tasks import maintenance, monitoring, training
from lepton_platform.tasks.schedule import install_schedule

install_schedule()

__all__ = ["maintenance", "monitoring", "training"]
