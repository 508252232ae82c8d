"""A training run as the runs table shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from lepton_platform.portal.messages import translate_sentence
from lepton_platform.portal.presenters.onboarding import OPEN_STATES
from recommender.registry.reasons import parse_reasons, translate_reasons
from tenants.data.types import JobView


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """`version` is the number of the trained version, or None. `duration` is the time so far for a running job."""

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
        # The end of a version 7 UUID is random; its start is a timestamp, which neighbouring runs share.
        return str(self.job.id)[-6:]


def present_run(job: JobView) -> TrainingRun:
    """Describes a training job in the reader's language."""
    duration = None
    if job.started_at:
        duration = (job.finished_at or timezone.now()) - job.started_at
    return TrainingRun(
        job=job,
        phase=describe_phase(job.phase),
        reason=_explain_outcome(job),
        duration=duration,
        version=job.outcome.get("version"),
    )


def _explain_outcome(job: JobView) -> str:
    """Returns the reasons of the promotion gate, or the job's own reason if the gate was not reached."""
    reasons = job.outcome.get("reasons")
    if isinstance(reasons, list) and reasons:
        return translate_reasons(parse_reasons(reasons))
    return translate_sentence(job.reason)


def describe_phase(phase: str) -> str:
    """Returns the name of a phase in the reader's language; an unknown phase is returned unchanged."""
    names = {
        "": _("Waiting for a worker"),
        "start": _("Starting"),
        "reading events": _("Reading events"),
        "tuning": _("Tuning hyper-parameters"),
        "embedding images": _("Computing image embeddings"),
        "reading reviews": _("Reading reviews"),
        "training": _("Training models"),
        "evaluating": _("Evaluating"),
        "refitting on all data": _("Training on all data"),
        "publishing": _("Encrypting and publishing"),
    }
    return names.get(phase, phase)
