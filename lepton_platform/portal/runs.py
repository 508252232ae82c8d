"""A training run in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from lepton_platform.portal.setup import OPEN_STATES
from tenants.data.types import JobView


@dataclass(frozen=True, slots=True)
class Run:
    job: JobView
    phase: str
    took: timedelta | None
    version: object

    @property
    def open(self) -> bool:
        return self.job.state in OPEN_STATES

    @property
    def short_id(self) -> str:
        return str(self.job.id)[-6:]


def run(job: JobView) -> Run:
    end = job.finished_at or timezone.now()
    took = end - job.started_at if job.started_at else None
    return Run(job, phase_words(job.phase), took, job.outcome.get("version"))


def phase_words(phase: str) -> str:
    """A phase's name for people; one that is not listed is shown as it is."""
    head, _separator, rest = phase.partition(":")
    words = {
        "": _("Waiting for a worker"),
        "read": _("Reading events"),
        "load": _("Reading events"),
        "scan": _("Reading events"),
        "dataset": _("Preparing the data"),
        "split": _("Preparing the data"),
        "fit": _("Learning"),
        "train": _("Learning"),
        "refit": _("Learning from everything"),
        "blend": _("Weighing the members"),
        "evaluate": _("Measuring quality"),
        "gate": _("Comparing with the live model"),
        "export": _("Preparing for serving"),
        "seal": _("Encrypting the model"),
        "publish": _("Going live"),
    }
    known = words.get(head.strip().lower())
    if known is None:
        return phase
    return f"{known}: {rest.strip()}" if rest.strip() else known
