"""The set-up checklist, told from what is there."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from lepton_platform.portal.access import Here
from recommender.registry import queries as registry
from tenants.control.queries import api_keys, members
from tenants.data.queries import jobs, space
from tenants.scope import control_scope, scope

OPEN_STATES = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Step:
    short: str
    text: str
    icon: str
    href: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Setup:
    steps: list[Step]
    running: int
    has_items: bool

    @property
    def done(self) -> int:
        return sum(step.is_done for step in self.steps)

    @property
    def total(self) -> int:
        return len(self.steps)

    @property
    def open(self) -> bool:
        return self.done < self.total

    @property
    def next(self) -> Step | None:
        return next((step for step in self.steps if not step.is_done), None)


def progress(here: Here) -> Setup:
    with scope(here.ref, actor=here.actor) as s:
        state = space.state(s)
        serving = registry.active_number(s) is not None
        newest, _more = jobs.jobs_page(s, limit=10)
    with control_scope(here.tenant.id, actor=here.actor) as control:
        has_key = bool(api_keys(control))
        has_colleague = len(members(control)) > 1
    return Setup(
        _steps(
            here,
            has_items=state.catalogue_version > 0,
            has_events=state.last_event_at is not None,
            serving=serving,
            has_key=has_key,
            has_colleague=has_colleague,
        ),
        sum(job.state in OPEN_STATES for job in newest),
        has_items=state.catalogue_version > 0,
    )


def _steps(
    here: Here, *, has_items: bool, has_events: bool, serving: bool, has_key: bool, has_colleague: bool
) -> list[Step]:
    def to(name: str) -> str:
        return reverse(f"portal:{name}", args=[here.tenant.slug])

    return [
        Step(
            _("upload your catalogue"),
            _("Upload your catalogue as CSV, JSONL or Parquet, or send it by API."),
            "package",
            to("catalogue_import"),
            has_items,
        ),
        Step(
            _("create an API key"),
            _("Your developers need a key to send data and to ask for recommendations."),
            "key-round",
            to("keys"),
            has_key,
        ),
        Step(
            _("send your first events"),
            _("Views, clicks, purchases: what your customers do teaches the model."),
            "activity",
            to("keys"),
            has_events,
        ),
        Step(
            _("train a model"),
            _("A model goes live only when it is better than plain popularity."),
            "brain-circuit",
            to("models"),
            serving,
        ),
        Step(
            _("invite a colleague"),
            _("Owners, editors, analysts and viewers see what their role needs."),
            "user-plus",
            to("members"),
            has_colleague,
        ),
    ]
