"""The isolation check of one region, with negative controls that show that the check can fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lepton_platform.management.isolation import pg_catalog
from lepton_platform.management.isolation.attack import (
    DATA_LEAKED,
    IDS_DISTINGUISHED,
    AttackResult,
    run_attack,
)
from lepton_platform.management.isolation.clients import ApiClient
from lepton_platform.management.isolation.rows import fingerprint
from lepton_platform.management.isolation.tenant_pair import ProbeTenant, prepare_tenants, revoke_keys
from tenants import regions

# Operations that must leak with a stolen key; a check that finds fewer can't be trusted.
_MIN_CONTROL_LEAKS = 5


@dataclass(slots=True)
class IsolationReport:
    """Results of one region. `control_checks` maps each negative control to whether the check noticed it."""

    region: str
    results: list[AttackResult] = field(default_factory=list)
    changed_tables: list[str] = field(default_factory=list)
    catalog_problems: list[str] = field(default_factory=list)
    control_checks: dict[str, bool] = field(default_factory=dict)
    n_relations: int = 0

    @property
    def violations(self) -> list[str]:
        """One sentence for each violation; empty when isolation holds."""
        sentences = []
        for result in self.results:
            sentences += [f"{result.operation.name}: {violation}" for violation in result.violations]
        sentences += [f"rows of the other tenant changed in {table}" for table in self.changed_tables]
        sentences += self.catalog_problems
        sentences += [f"control failed: {name}" for name, passed in self.control_checks.items() if not passed]
        return sentences


def check_region(region: str, client: ApiClient) -> IsolationReport:
    """Checks the catalogue of the region's databases, attacks one tenant with another's key, runs the controls.

    Args:
        region: region code.
        client: sends the requests.

    Raises:
        ProbeSetupError: the two tenants could not be filled.
    """
    report = IsolationReport(region)
    for alias in (regions.CONTROL, regions.get_data_alias(region), regions.get_keys_alias(region)):
        problems = pg_catalog.find_catalog_problems(alias)
        report.catalog_problems += [f"{alias}: {problem}" for problem in problems]
        report.n_relations += len(pg_catalog.list_relations(alias))
    attacker, victim = prepare_tenants(region, client)
    try:
        _run_attack(report, client, attacker, victim)
        _run_controls(report, client, attacker, victim)
    finally:
        # The tenants stay for the next run, working keys must not.
        revoke_keys(attacker, victim)
    return report


def _run_attack(
    report: IsolationReport,
    client: ApiClient,
    attacker: ProbeTenant,
    victim: ProbeTenant,
) -> None:
    before = fingerprint(victim.tenant.ref)
    report.results = list(run_attack(client, attacker, victim))
    after = fingerprint(victim.tenant.ref)
    report.changed_tables = [table for table in before if before[table] != after.get(table)]


def _run_controls(
    report: IsolationReport,
    client: ApiClient,
    attacker: ProbeTenant,
    victim: ProbeTenant,
) -> None:
    """Repeats the attack with the victim's own key: data must be visible and rows must change."""
    before = fingerprint(victim.tenant.ref)
    results = list(run_attack(client, attacker, victim, key=victim.key))
    n_leaks = _count_violations(results, DATA_LEAKED)
    n_differences = _count_violations(results, IDS_DISTINGUISHED)
    report.control_checks = {
        f"a stolen key shows the other tenant's data ({n_leaks} operations)": n_leaks >= _MIN_CONTROL_LEAKS,
        f"a stolen key distinguishes foreign from absent ids ({n_differences} operations)": (
            n_differences >= _MIN_CONTROL_LEAKS
        ),
        "a change of the other tenant's rows is noticed": before != fingerprint(victim.tenant.ref),
        "a table without locks is noticed": len(pg_catalog.find_control_problems()) == 4,
    }


def _count_violations(results: Iterable[AttackResult], violation: str) -> int:
    return sum(violation in result.violations for result in results)
