"""Background work. A message carries ids; the row is the truth; every task may run twice."""

from lepton_platform.tasks import training, upkeep
from lepton_platform.tasks.schedule import install

install()

__all__ = ["training", "upkeep"]
