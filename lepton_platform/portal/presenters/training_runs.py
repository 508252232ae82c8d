"""A training run in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from lepton_platform.portal.messages import translate_decision
from lepton_platform.portal.presenters.onboarding import OPEN_STATES
from recommender.registry.reasons import parse_reasons, translate_reasons
from tenants.data.types import JobView


@dataclass(frozen=True, slots=True)
class TrainingRun:
    job: JobView
    phase: str
    reason: str
    duration: timedelta | None
    version: object

    @property
    def is_open(self) -> bool:
        return self.job.state in OPEN_STATES

    @property
    def short_id(self) -> str:
        return str(self.job.id)[-6:]


def present_run(job: JobView) -> TrainingRun:
    end = job.finished_at or timezone.now()
    took = end - job.started_at if job.started_at else None
    return TrainingRun(
        job, describe_phase(job.phase), _explain_outcome(job), took, job.outcome.get("version")
    )


def _explain_outcome(job: JobView) -> str:
    """What the gate said as codes, in the reader's language; else the reason, also of jobs of earlier versions."""
    said = job.outcome.get("reasons")
    return (
        translate_reasons(parse_reasons(said))
        if isinstance(said, list) and said
        else translate_decision(job.reason)
    )


def describe_phase(phase: str) -> str:
    """A phase's name for people; one that is not listed is shown as it is."""
    words = {
        "": _("Waiting for a worker"),
        "start": _("Starting"),
        "reading events": _("Reading events"),
        "tuning": _("Looking for better settings"),
        "embedding images": _("Looking at images"),
        "reading reviews": _("Reading reviews"),
        "training": _("Training the models"),
        "evaluating": _("Measuring quality"),
        "refitting on all data": _("Refitting on all data"),
        "publishing": _("Encrypting and publishing"),
    }
    return words.get(phase, phase)
