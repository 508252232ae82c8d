"""The demo of one installation, from nothing or from wherever an earlier call stopped."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings

from lepton_platform.demo import access, training
from lepton_platform.demo.access import SignIn
from lepton_platform.demo.loading import ACTOR, Report, load_records
from lepton_platform.demo.progress import Progress
from lepton_platform.demo.specs import SPECS, DemoSpec
from tenants import regions
from tenants.control import queries
from tenants.control.queries import Account
from tenants.control.results import TenantView
from tenants.privacy.onboarding import open_tenant

LOADING_SHARE = 0.4
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


def sign_in() -> SignIn:
    """An account that owns every demo tenant. Its password is the one of run.json, or new."""
    return access.sign_in(actor=ACTOR)


def load(report: Report) -> list[DemoTenant]:
    """The demo tenants of the regions served here, loaded and trained; the first is the best to show.

    One that staff suspended is left as it is and is not returned.

    Quick when nothing is missing; a killed load goes on where it stopped. `report` hears what is being done
    and the fraction of the whole, 0 to 1. Raises DemoError and the actions' errors.
    """
    owner = access.owner(actor=ACTOR)
    wanted = [spec for spec in SPECS if spec.region in regions.served()]
    made, lessons = [], []
    for number, spec in enumerate(wanted):
        tenant = _tenant(spec, owner)
        if tenant.status == SUSPENDED:
            continue
        _fill(spec, tenant, _part(report, LOADING_SHARE * number / len(wanted), LOADING_SHARE / len(wanted)))
        lessons.append(training.request(spec.name_en, tenant.ref))
        made.append(_described(spec, tenant))
    waited = [lesson for lesson in lessons if lesson is not None]
    for failed in training.finish(waited, _part(report, LOADING_SHARE, 1 - LOADING_SHARE)):
        report(failed, 1.0)
    report("demo tenants are ready", 1.0)
    return made


def _part(report: Report, start: float, share: float) -> Report:
    return lambda text, fraction: report(text, start + share * fraction)


def _fill(spec: DemoSpec, tenant: TenantView, report: Report) -> None:
    progress = Progress.of(settings.LEPTON_HOME / "demo", spec.slug, tenant.id)
    if not progress.finished:
        load_records(spec, tenant.ref, progress, report)
        progress.finish()


def _described(spec: DemoSpec, tenant: TenantView) -> DemoTenant:
    return DemoTenant(
        name=tenant.name,
        slug=tenant.slug,
        vertical=tenant.vertical,
        region=tenant.region,
        api_key=access.api_key(tenant, actor=ACTOR),
        language=tenant.language,
        example_profile=spec.example_profile,
    )


def _tenant(spec: DemoSpec, owner: Account) -> TenantView:
    known = {membership.tenant.slug: membership.tenant for membership in queries.memberships(owner)}
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
