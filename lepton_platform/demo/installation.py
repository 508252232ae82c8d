"""Loads and trains all demo tenants of an installation, or what an interrupted earlier call has left to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings

from lepton_platform.demo import access, training
from lepton_platform.demo.access import DemoCredentials
from lepton_platform.demo.loading import ACTOR, DemoProgressCallback, load_records
from lepton_platform.demo.progress import DemoLoadState
from lepton_platform.demo.specs import SPECS, DemoSpec
from tenants import regions
from tenants.control import queries
from tenants.control.queries import Account
from tenants.control.read_models import TenantView
from tenants.privacy.onboarding import open_tenant

# Fraction of the progress bar for loading; the remainder is for training.
LOADING_FRACTION = 0.4
SUSPENDED = "suspended"


@dataclass(frozen=True)
class DemoTenant:
    """A loaded tenant, as written to run.json. `example_profile` has a history with good recommendations."""

    name: str
    slug: str
    vertical: str
    region: str
    api_key: str = field(repr=False)
    language: str
    example_profile: str


def ensure_credentials() -> DemoCredentials:
    """Credentials of the account that owns every demo tenant; the password of run.json if it is valid, else a new one."""
    return access.ensure_credentials(actor=ACTOR)


def load_demo(report: DemoProgressCallback) -> list[DemoTenant]:
    """Loads and trains the demo tenants of the served regions. Fast when nothing is missing.

    Args:
        report: receives a text and the fraction of all work, 0 to 1.

    Returns:
        The tenants, without those that staff suspended; the first is the one to show to users.

    Raises:
        DemoError: a row was rejected.
        DomainError: from the actions.
    """
    owner = access.ensure_account(actor=ACTOR)
    specs = [spec for spec in SPECS if spec.region in regions.list_served()]
    demo_tenants, training_requests = [], []
    for index, spec in enumerate(specs):
        tenant = _ensure_tenant(spec, owner)
        if tenant.status == SUSPENDED:
            continue
        span = LOADING_FRACTION / len(specs)
        _fill_tenant(spec, tenant, _scale_progress(report, index * span, span))
        # A worker may train this tenant while the next one is loaded.
        request = training.request_training(spec.name_en, tenant.ref)
        if request is not None:
            training_requests.append(request)
        demo_tenants.append(_describe_tenant(spec, tenant))
    report_training = _scale_progress(report, LOADING_FRACTION, 1 - LOADING_FRACTION)
    for failure in training.wait_for_trainings(training_requests, report_training):
        report(failure, 1.0)
    report("demo tenants are ready", 1.0)
    return demo_tenants


def _scale_progress(report: DemoProgressCallback, start: float, span: float) -> DemoProgressCallback:
    """A callback for a step that covers [start, start + span] of the whole."""
    return lambda text, fraction: report(text, start + span * fraction)


def _fill_tenant(spec: DemoSpec, tenant: TenantView, report: DemoProgressCallback) -> None:
    progress = DemoLoadState.from_directory(settings.LEPTON_HOME / "demo", spec.slug, tenant.id)
    if not progress.is_finished:
        load_records(spec, tenant.ref, progress, report)
        progress.mark_finished()


def _describe_tenant(spec: DemoSpec, tenant: TenantView) -> DemoTenant:
    return DemoTenant(
        name=tenant.name,
        slug=tenant.slug,
        vertical=tenant.vertical,
        region=tenant.region,
        api_key=access.ensure_api_key(tenant, actor=ACTOR),
        language=tenant.language,
        example_profile=spec.example_profile,
    )


def _ensure_tenant(spec: DemoSpec, owner: Account) -> TenantView:
    for membership in queries.list_memberships(owner):
        if membership.tenant.slug == spec.slug:
            return membership.tenant
    return open_tenant(
        name=spec.name,
        slug=spec.slug,
        vertical=spec.vertical,
        region=spec.region,
        language=spec.language,
        currency=spec.currency,
        time_zone=spec.time_zone,
        plan="growth",
        owner=owner,
        actor=ACTOR,
    )
