"""The set-up checklist. Its steps are derived from the data of the workspace; no progress is stored."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from lepton_platform.portal.access import WorkspaceContext
from recommender.registry import queries as registry
from tenants.control.queries import list_api_keys, list_members
from tenants.data.queries import jobs, tenant_state
from tenants.scope import control_scope, scope

OPEN_STATES = ("queued", "running")
_MAX_JOBS = 10


@dataclass(frozen=True, slots=True)
class OnboardingStep:
    """A step of the checklist and the page where it is done."""

    title: str
    text: str
    icon: str
    href: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class OnboardingProgress:
    """The checklist, and what the shell of every page shows of jobs and the catalogue."""

    steps: list[OnboardingStep]
    running_jobs: int
    has_items: bool

    @property
    def n_done(self) -> int:
        return sum(step.is_done for step in self.steps)

    @property
    def total(self) -> int:
        return len(self.steps)

    @property
    def is_open(self) -> bool:
        return self.n_done < self.total

    @property
    def next_step(self) -> OnboardingStep | None:
        """The first step that is not done; None if all are."""
        return next((step for step in self.steps if not step.is_done), None)


def load_onboarding(workspace: WorkspaceContext) -> OnboardingProgress:
    """Loads the progress of a workspace from both databases."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        state = tenant_state.get_state(s)
        has_model = registry.get_active_number(s) is not None
        # At most one training is open at a time, so the newest jobs include every open one.
        newest_jobs, _has_more = jobs.list_jobs(s, limit=_MAX_JOBS)
    # Keys and members are in the control database, which has its own scope.
    with control_scope(workspace.tenant.id, actor=workspace.actor) as control:
        has_key = bool(list_api_keys(control))
        has_colleague = len(list_members(control)) > 1
    has_items = state.catalogue_version > 0
    steps = _build_steps(
        workspace,
        has_items=has_items,
        has_events=state.last_event_at is not None,
        has_model=has_model,
        has_key=has_key,
        has_colleague=has_colleague,
    )
    running_jobs = sum(job.state in OPEN_STATES for job in newest_jobs)
    return OnboardingProgress(steps=steps, running_jobs=running_jobs, has_items=has_items)


def _build_steps(
    workspace: WorkspaceContext,
    *,
    has_items: bool,
    has_events: bool,
    has_model: bool,
    has_key: bool,
    has_colleague: bool,
) -> list[OnboardingStep]:
    def build_url(name: str) -> str:
        return reverse(f"portal:{name}", args=[workspace.tenant.slug])

    return [
        OnboardingStep(
            title=_("upload your catalogue"),
            text=_("Upload your catalogue as CSV, JSONL or Parquet, or send it by API."),
            icon="package",
            href=build_url("catalogue_import"),
            is_done=has_items,
        ),
        OnboardingStep(
            title=_("create an API key"),
            text=_("Your developers need a key to send data and to request recommendations."),
            icon="key-round",
            href=build_url("keys"),
            is_done=has_key,
        ),
        OnboardingStep(
            title=_("send your first events"),
            text=_("Models are trained on what your customers do: views, clicks, purchases."),
            icon="activity",
            # Events are sent by API, so the step leads to the page of the keys.
            href=build_url("keys"),
            is_done=has_events,
        ),
        OnboardingStep(
            title=_("train a model"),
            text=_("A model goes live only if it is better than the popularity baseline."),
            icon="brain-circuit",
            href=build_url("models"),
            is_done=has_model,
        ),
        OnboardingStep(
            title=_("invite a colleague"),
            text=_("Owners, editors, analysts and viewers see what their role needs."),
            icon="user-plus",
            href=build_url("members"),
            is_done=has_colleague,
        ),
    ]
