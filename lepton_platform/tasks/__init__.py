"""Background work. A message carries ids; the row is the truth; every task may run twice."""

from lepton_platform.tasks import quality, training, upkeep
from lepton_platform.tasks.schedule import install_schedule

install_schedule()

__all__ = ["quality", "training", "upkeep"]
