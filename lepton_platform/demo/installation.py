"""The demo of one installation, from nothing or from wherever an earlier call stopped."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings

from lepton_platform.demo import access
from lepton_platform.demo.access import SignIn
from lepton_platform.demo.loading import ACTOR, Report, load_records
from lepton_platform.demo.progress import Progress
from lepton_platform.demo.specs import SPECS, DemoSpec
from tenants import regions
from tenants.control import queries
from tenants.control.models import User
from tenants.control.results import TenantView
from tenants.privacy.onboarding import open_tenant


@dataclass(frozen=True)
class DemoTenant:
    name: str
    slug: str
    vertical: str
    region: str
    api_key: str = field(repr=False)
    language: str


def sign_in() -> SignIn:
    """An account that owns every demo tenant. Its password is the one of run.json, or new."""
    return access.sign_in(actor=ACTOR)


def load(report: Report) -> list[DemoTenant]:
    """The demo tenants of the regions served here, loaded and trained; the first is the best to show.

    Quick when nothing is missing; a killed load goes on where it stopped. `report` hears what is being done
    and the fraction of the whole, 0 to 1. Raises DemoError and the actions' errors.
    """
    owner = access.owner(actor=ACTOR)
    wanted = [spec for spec in SPECS if spec.region in regions.served()]
    made = []
    for number, spec in enumerate(wanted):
        part = _part_of(report, number, len(wanted))
        tenant = _tenant(spec, owner)
        progress = Progress.of(settings.LEPTON_HOME / "demo", spec.slug, tenant.id)
        if not progress.finished:
            load_records(spec, tenant, progress, part)
            progress.finish()
        key = access.api_key(tenant, actor=ACTOR)
        made.append(
            DemoTenant(tenant.name, tenant.slug, tenant.vertical, tenant.region, key, tenant.language)
        )
    report("", 1.0)
    return made


def _part_of(report: Report, number: int, parts: int) -> Report:
    return lambda text, fraction: report(text, (number + fraction) / parts)


def _tenant(spec: DemoSpec, owner: User) -> TenantView:
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
