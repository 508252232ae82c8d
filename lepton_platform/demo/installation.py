"""The demo of one installation, from nothing or from wherever an earlier call stopped."""

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

LOADING_FRACTION = 0.4
SUSPENDED = "suspended"


@dataclass(frozen=True)
class DemoTenant:
    """`example_profile` has a history worth asking about."""

    name: str
    slug: str
    vertical: str
    region: str
    api_key: str = field(repr=False)
    language: str
    example_profile: str


def ensure_credentials() -> DemoCredentials:
    """An account that owns every demo tenant. Its password is the one of run.json, or new."""
    return access.ensure_credentials(actor=ACTOR)


def load_demo(report: DemoProgressCallback) -> list[DemoTenant]:
    """The demo tenants of the regions served here, loaded and trained; the first is the best to show.

    One that staff suspended is left as it is and is not returned.

    Quick when nothing is missing; a killed load goes on where it stopped. `report` hears what is being done
    and the fraction of the whole, 0 to 1. Raises DemoError and the actions' errors.
    """
    owner = access.ensure_account(actor=ACTOR)
    wanted = [spec for spec in SPECS if spec.region in regions.list_served()]
    made, lessons = [], []
    for number, spec in enumerate(wanted):
        tenant = _ensure_tenant(spec, owner)
        if tenant.status == SUSPENDED:
            continue
        _fill_tenant(
            spec,
            tenant,
            _scale_progress(report, LOADING_FRACTION * number / len(wanted), LOADING_FRACTION / len(wanted)),
        )
        lessons.append(training.request_training(spec.name_en, tenant.ref))
        made.append(_describe_tenant(spec, tenant))
    waited = [lesson for lesson in lessons if lesson is not None]
    for failed in training.wait_for_trainings(
        waited, _scale_progress(report, LOADING_FRACTION, 1 - LOADING_FRACTION)
    ):
        report(failed, 1.0)
    report("demo tenants are ready", 1.0)
    return made


def _scale_progress(report: DemoProgressCallback, start: float, span: float) -> DemoProgressCallback:
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
    known = {membership.tenant.slug: membership.tenant for membership in queries.list_memberships(owner)}
    if spec.slug in known:
        return known[spec.slug]
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
