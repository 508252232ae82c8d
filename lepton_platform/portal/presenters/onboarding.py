"""The set-up checklist, told from what is there."""

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


@dataclass(frozen=True, slots=True)
class OnboardingStep:
    title: str
    text: str
    icon: str
    href: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class OnboardingProgress:
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
        return next((step for step in self.steps if not step.is_done), None)


def load_onboarding(workspace: WorkspaceContext) -> OnboardingProgress:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        state = tenant_state.get_state(s)
        serving = registry.get_active_number(s) is not None
        newest, _more = jobs.list_jobs(s, limit=10)
    with control_scope(workspace.tenant.id, actor=workspace.actor) as control:
        has_key = bool(list_api_keys(control))
        has_colleague = len(list_members(control)) > 1
    return OnboardingProgress(
        _build_steps(
            workspace,
            has_items=state.catalogue_version > 0,
            has_events=state.last_event_at is not None,
            has_model=serving,
            has_key=has_key,
            has_colleague=has_colleague,
        ),
        sum(job.state in OPEN_STATES for job in newest),
        has_items=state.catalogue_version > 0,
    )


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
            _("upload your catalogue"),
            _("Upload your catalogue as CSV, JSONL or Parquet, or send it by API."),
            "package",
            build_url("catalogue_import"),
            has_items,
        ),
        OnboardingStep(
            _("create an API key"),
            _("Your developers need a key to send data and to ask for recommendations."),
            "key-round",
            build_url("keys"),
            has_key,
        ),
        OnboardingStep(
            _("send your first events"),
            _("Views, clicks, purchases: what your customers do teaches the model."),
            "activity",
            build_url("keys"),
            has_events,
        ),
        OnboardingStep(
            _("train a model"),
            _("A model goes live only when it is better than plain popularity."),
            "brain-circuit",
            build_url("models"),
            has_model,
        ),
        OnboardingStep(
            _("invite a colleague"),
            _("Owners, editors, analysts and viewers see what their role needs."),
            "user-plus",
            build_url("members"),
            has_colleague,
        ),
    ]
