"""Background work. A message carries ids; the row is the truth; every task may run twice."""

from lepton_platform.tasks import maintenance, monitoring, training
from lepton_platform.tasks.schedule import install_schedule

install_schedule()

__all__ = ["maintenance", "monitoring", "training"]
