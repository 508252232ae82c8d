"""The whole check of one region, with the controls that show it can fail."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_platform.management.isolation import pg_catalog
from lepton_platform.management.isolation.attack import AttackResult, run_attack
from lepton_platform.management.isolation.clients import ApiClient
from lepton_platform.management.isolation.rows import fingerprint
from lepton_platform.management.isolation.tenant_pair import ProbeTenant, prepare_tenants, revoke_keys
from tenants import regions

_MIN_CONTROL_LEAKS = 5


@dataclass(slots=True)
class IsolationReport:
    region: str
    results: list[AttackResult] = field(default_factory=list)
    changed_tables: list[str] = field(default_factory=list)
    catalog_problems: list[str] = field(default_factory=list)
    control_checks: dict[str, bool] = field(default_factory=dict)
    n_relations: int = 0

    @property
    def violations(self) -> list[str]:
        found = [f"{one.operation.name}: {sentence}" for one in self.results for sentence in one.violations]
        found += [f"rows of the other tenant changed in {table}" for table in self.changed_tables]
        found += self.catalog_problems
        return found + [f"control failed: {name}" for name, holds in self.control_checks.items() if not holds]


def check_region(region: str, client: ApiClient) -> IsolationReport:
    """Raises Refused when the two tenants could not be filled."""
    report = IsolationReport(region)
    aliases = [regions.CONTROL, regions.get_data_alias(region), regions.get_keys_alias(region)]
    report.catalog_problems = [
        f"{alias}: {one}" for alias in aliases for one in pg_catalog.find_catalog_problems(alias)
    ]
    report.n_relations = sum(len(pg_catalog.list_relations(alias)) for alias in aliases)
    attacker, victim = prepare_tenants(region, client)
    try:
        _run_attack(report, client, attacker, victim)
        _run_controls(report, client, attacker, victim)
    finally:
        revoke_keys(attacker, victim)
    return report


def _run_attack(
    report: IsolationReport, client: ApiClient, attacker: ProbeTenant, victim: ProbeTenant
) -> None:
    before = fingerprint(victim.tenant.ref)
    report.results = [*run_attack(client, attacker, victim)]
    after = fingerprint(victim.tenant.ref)
    report.changed_tables = [table for table in before if before[table] != after.get(table)]


def _run_controls(
    report: IsolationReport, client: ApiClient, attacker: ProbeTenant, victim: ProbeTenant
) -> None:
    """The victim's own key in the attacker's hand: data must be seen and rows must change."""
    before = fingerprint(victim.tenant.ref)
    impostor = [*run_attack(client, attacker, victim, key=victim.key)]
    seen = sum("the other tenant's data is answered" in one.violations for one in impostor)
    told = sum("foreign and absent ids are answered differently" in one.violations for one in impostor)
    report.control_checks = {
        f"a stolen key shows the other tenant's data ({seen} operations)": seen >= _MIN_CONTROL_LEAKS,
        f"a stolen key tells foreign from absent ids ({told} operations)": told >= _MIN_CONTROL_LEAKS,
        "a change of the other tenant's rows is noticed": before != fingerprint(victim.tenant.ref),
        "a table without locks is noticed": len(pg_catalog.find_control_problems()) == 4,
    }
