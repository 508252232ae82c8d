"""A training run in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from lepton_platform.portal.setup import OPEN_STATES
from lepton_platform.portal.wording import verdict_words
from recommender.registry.reasons import of_json, words
from tenants.data.types import JobView


@dataclass(frozen=True, slots=True)
class Run:
    job: JobView
    phase: str
    reason: str
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
    return Run(job, phase_words(job.phase), _why(job), took, job.outcome.get("version"))


def _why(job: JobView) -> str:
    """What the gate said as codes, in the reader's language; else the reason, also of jobs of earlier versions."""
    said = job.outcome.get("reasons")
    return words(of_json(said)) if isinstance(said, list) and said else verdict_words(job.reason)


def phase_words(phase: str) -> str:
    """A phase's name for people; one that is not listed is shown as it is."""
    words = {
        "": _("Waiting for a worker"),
        "start": _("Starting"),
        "reading events": _("Reading events"),
        "tuning": _("Looking for better settings"),
        "looking at images": _("Looking at images"),
        "reading reviews": _("Reading reviews"),
        "learning": _("Learning"),
        "evaluating": _("Measuring quality"),
        "learning from everything": _("Learning from everything"),
        "publishing": _("Encrypting and publishing"),
    }
    return words.get(phase, phase)
