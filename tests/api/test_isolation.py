"""The attack of `check_isolation`, and defects that it has to find."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import call_command

from lepton_platform.management.isolation.clients import InProcessClient
from lepton_platform.management.isolation.pg_catalog import find_catalog_problems
from lepton_platform.management.isolation.report import check_region
from tenants.data.queries import catalog, jobs
from tenants.errors import Conflict, NotFound


def test_every_operation_keeps_foreign_ids_apart(database: None) -> None:
    first_report, second_report = check_region("eu", InProcessClient()), check_region("eu", InProcessClient())
    assert (first_report.violations, second_report.violations) == ([], [])
    assert sum(result.foreign_status is not None for result in second_report.results) >= 15


def test_the_command_prints_a_table_and_ends_well(database: None) -> None:
    written = StringIO()
    call_command("check_isolation", region=["us"], stdout=written)
    assert "0 violations" in written.getvalue()
    assert "get_item" in written.getvalue()


def test_an_answer_that_tells_foreign_from_absent_is_found(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = jobs.get_job

    def reveal_foreign_job(s: Any, job_id: UUID) -> Any:
        try:
            return real(s, job_id)
        except NotFound as error:
            raise (error if job_id.int == 0 else Conflict("It is another tenant's.")) from error

    monkeypatch.setattr(jobs, "get_job", reveal_foreign_job)
    problems = check_region("eu", InProcessClient()).violations
    assert any(violation.startswith("get_job: foreign and absent ids") for violation in problems)


def test_a_cache_without_the_tenant_in_its_key_is_found(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    views: dict[str, Any] = {}
    real = catalog.get_item

    def cached(s: Any, item_id: str) -> Any:
        if item_id not in views:
            views[item_id] = real(s, item_id)
        return views[item_id]

    monkeypatch.setattr(catalog, "get_item", cached)
    assert any(
        "other tenant's data" in violation for violation in check_region("eu", InProcessClient()).violations
    )


@pytest.mark.parametrize(
    ("defect", "repair"),
    [
        (
            "ALTER TABLE data_item NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE data_item FORCE ROW LEVEL SECURITY",
        ),
        (
            "ALTER TABLE data_item DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE data_item ENABLE ROW LEVEL SECURITY",
        ),
        (
            "CREATE MATERIALIZED VIEW data_copy AS SELECT * FROM data_item",
            "DROP MATERIALIZED VIEW data_copy",
        ),
        ("CREATE TABLE data_new (tenant_id uuid, body text)", "DROP TABLE data_new"),
        ("CREATE UNIQUE INDEX data_global ON data_item (item_key)", "DROP INDEX data_global"),
    ],
)
def test_a_missing_lock_is_found(
    database: None, superuser: Callable[[str], psycopg.Connection[Any]], defect: str, repair: str
) -> None:
    behind = superuser("data_us")
    behind.autocommit = True
    assert find_catalog_problems("data_us") == []
    behind.execute(defect)
    try:
        problems = find_catalog_problems("data_us")
    finally:
        behind.execute(repair)
    assert problems != []
