"""Without a scope every query raises an error and none returns an empty list, in every execution context."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import connections, transaction
from django.db.models import Count, Model
from django.db.utils import ProgrammingError

from lepton_platform import wsgi_handlers
from recommender.serving.recommend import recommend
from recommender.serving.types import RecommendRequest
from tenants import regions
from tenants.base import ScopedManager
from tenants.data.actions.catalog import upsert_items
from tenants.data.actions.events import record_events
from tenants.data.actions.jobs import request_job
from tenants.data.types import EventInput, ItemInput
from tenants.errors import ScopeNested, ScopeRequired
from tenants.scope import LIFETIME, Scope, scope
from tests.isolation.celery_worker import run_worker
from tests.isolation.execution_contexts import EXECUTION_CONTEXTS, get_context_label
from tests.isolation.raw_queries import COPIES, QUERIES, run_query

SCOPED_MODELS = [model for model in apps.get_models() if isinstance(model._default_manager, ScopedManager)]
TABLES = {
    alias: [model._meta.db_table for model in SCOPED_MODELS if model._meta.app_label in labels]
    for alias, labels in {
        "default": {"control"},
        "data_eu": {"data", "recommender"},
        "keys_eu": {"keys"},
    }.items()
}
SCOPE_ERROR_PATTERN = "no scope|permission denied"


def build_manager_calls(model: type[Model]) -> dict[str, Callable[[], object]]:
    """Every kind of access to a table through a manager, by name."""
    rows, instance = model._default_manager, model(tenant_id="0" * 32)
    return {
        "all": lambda: list(rows.all()),
        "iterator": lambda: list(rows.iterator()),
        "first": rows.first,
        "count": rows.count,
        "exists": lambda: rows.filter(tenant_id="0" * 32).exists(),
        "none of it": lambda: list(rows.none()),
        "aggregate": lambda: rows.aggregate(Count("pk")),
        "values": lambda: list(rows.values_list("tenant_id")),
        "base manager": lambda: list(model._base_manager.all()),
        "another database": lambda: list(rows.using("default").all()),
        "raw": lambda: list(rows.raw(f"SELECT * FROM {model._meta.db_table}")),
        "create": lambda: rows.bulk_create([instance]),
        "save": lambda: instance.save(force_insert=True),
        "update": lambda: rows.update(tenant_id="0" * 32),
        "delete": lambda: rows.all().delete(),
    }


def find_silent_manager_calls() -> list[str]:
    return [
        f"{model._meta.label} {name}"
        for model in SCOPED_MODELS
        for name, manager_call in build_manager_calls(model).items()
        if not is_refused(manager_call)
    ]


def is_refused(manager_call: Callable[[], object]) -> bool:
    """The manager refuses, or PostgreSQL does: saving an instance of the control plane calls no manager."""
    try:
        manager_call()
    except ScopeRequired:
        return True
    except ProgrammingError as error:
        return re.search(SCOPE_ERROR_PATTERN, str(error)) is not None
    return False


def find_silent_queries(alias: str) -> list[str]:
    """Names of the queries that succeeded. An error that is not about the scope is raised."""
    return [name for name in (*QUERIES, *COPIES) if not is_query_refused(alias, name)]


def is_query_refused(alias: str, name: str) -> bool:
    """Runs the query, in a savepoint when a transaction is open."""
    connection = connections[alias]
    try:
        with transaction.atomic(using=alias) if connection.in_atomic_block else connection.cursor():
            run_query(psycopg.Cursor(connection.connection), name)
    except (psycopg.errors.InsufficientPrivilege, ProgrammingError) as error:
        return re.search(SCOPE_ERROR_PATTERN, str(error)) is not None
    return False


@pytest.fixture(scope="module")
def running_worker(services) -> Iterator[None]:
    with run_worker(threads=1):
        yield


@pytest.fixture
def application(settings, database) -> Any:
    settings.ROOT_URLCONF = "tests.isolation.streaming_urls"
    return wsgi_handlers.build_application()


@pytest.fixture
def tenant_rows(tenant, actor) -> None:
    with scope(tenant, actor=actor) as s:
        upsert_items(s, [ItemInput(id="a"), ItemInput(id="b")])
        request_job(s, "train", parameters={})


@pytest.fixture
def empty_database(superuser) -> str:
    """A database without rows whose statistics are current, so that the planner reads no index."""
    superuser("data_us").execute("VACUUM ANALYZE")
    return "data_us"


def test_every_model_with_a_tenant_has_the_scoped_manager(services):
    models_with_tenant = {model for model in apps.get_models() if hasattr(model, "tenant_id")}
    assert models_with_tenant == set(SCOPED_MODELS)
    assert sum(len(tables) for tables in TABLES.values()) == len(SCOPED_MODELS) > 20


@pytest.mark.proof(row=3)
@pytest.mark.parametrize("run_context", EXECUTION_CONTEXTS, ids=get_context_label)
def test_every_manager_call_without_a_scope_raises(run_context, tenant, application, running_worker, figure):
    silent: list[str] = []
    run_context(lambda: silent.extend(find_silent_manager_calls()), tenant=tenant, application=application)
    n_attempts = sum(len(build_manager_calls(model)) for model in SCOPED_MODELS)
    what = (
        f"verbs of {len(SCOPED_MODELS)} managers answered without a scope, {get_context_label(run_context)}"
    )
    assert figure(what, len(silent), of=n_attempts, passes=not silent), silent


@pytest.mark.proof(row=3)
@pytest.mark.parametrize("run_context", EXECUTION_CONTEXTS, ids=get_context_label)
def test_every_raw_query_without_a_scope_raises(
    run_context, tenant, tenant_rows, empty_database, application, running_worker, figure
):
    silent: list[str] = []

    def run_queries() -> None:
        for alias in (regions.get_data_alias(tenant.region), empty_database):
            silent.extend(f"{alias}: {name}" for name in find_silent_queries(alias))

    run_context(run_queries, tenant=tenant, application=application)
    n_attempts = 2 * (len(QUERIES) + len(COPIES))
    what = f"raw queries answered without a scope, {get_context_label(run_context)}"
    assert figure(what, len(silent), of=n_attempts, passes=not silent and n_attempts >= 60), silent


@pytest.mark.parametrize("name", [*QUERIES, *COPIES])
def test_every_raw_query_runs_in_a_scope(name, tenant, tenant_rows, actor):
    with scope(tenant, actor=actor) as s, s.cursor().connection.transaction(force_rollback=True):
        output = run_query(s.cursor(), name, tenant_id=tenant.id)
    assert re.match("[A-Z]+( [A-Z]+)*( [0-9]+)*$", output), output


@pytest.mark.parametrize("alias", list(TABLES))
@pytest.mark.parametrize("verb", ["SELECT count(*) FROM", "DELETE FROM"])
def test_every_table_raises_whether_empty_or_not(alias, verb, tenant, tenant_rows, superuser):
    for state in (alias, alias.replace("_eu", "_us")):
        superuser(state).execute("VACUUM ANALYZE")
        for table in TABLES[alias]:
            with (
                pytest.raises(ProgrammingError, match=SCOPE_ERROR_PATTERN),
                connections[state].cursor() as cursor,
            ):
                cursor.execute(f'{verb} "{table}"')


def test_a_statement_prepared_in_a_scope_raises_outside(tenant, empty_database, actor):
    with scope(regions.TenantRef(tenant.id, "us"), actor=actor) as s:
        s.cursor().execute("PREPARE item_reviews (int) AS SELECT * FROM data_review WHERE item_no = $1")
        for number in range(8):
            s.cursor().execute(f"EXECUTE item_reviews ({number})")
    with pytest.raises(ProgrammingError, match="no scope"), connections[empty_database].cursor() as cursor:
        cursor.execute("EXECUTE item_reviews (1)")


def test_frequent_statements_are_not_prepared_automatically(tenant, actor):
    with scope(tenant, actor=actor) as s:
        for _ in range(20):
            s.cursor().execute("SELECT count(*) FROM data_review")
        assert "data_review" not in " ".join(
            statement for statement, _parameters in list_prepared_statements(s)
        )


def test_every_prepared_statement_of_the_application_has_parameters(tenant, actor):
    """A statement without parameters would cache its plan, and with it the result of the claim check."""
    with scope(tenant, actor=actor) as s:
        upsert_items(s, [ItemInput(id="mug", title="Mug")])
        record_events(s, [EventInput(profile_id="ann", item_id="mug", kind="view")])
    recommend(tenant, RecommendRequest(profile_id="ann", k=1), actor=actor)
    with scope(tenant, actor=actor) as s:
        plans = list_prepared_statements(s)
    statements = " ".join(text for text, _ in plans)
    for name in ("data_timeline", "data_receipt", "data_item", "app.scope"):
        assert name in statements, name
    assert [text for text, parameters in plans if not parameters] == []


def list_prepared_statements(s: Scope) -> list[tuple[str, int]]:
    """Prepared statements of this connection with their numbers of parameters."""
    rows = (
        s.cursor()
        .execute("SELECT statement, cardinality(parameter_types) FROM pg_prepared_statements")
        .fetchall()
    )
    return [(str(text), int(count)) for text, count in rows]


def test_an_expired_claim_raises_on_an_empty_table(tenant, empty_database, actor):
    us_tenant = regions.TenantRef(tenant.id, "us")
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="expired"),
        scope(us_tenant, actor=actor, lifetime=-LIFETIME) as s,
    ):
        s.cursor().execute("DELETE FROM data_review")


@pytest.mark.parametrize("statement", ["SELECT 1/0", "SELECT 1"])
def test_the_claim_is_cleared_after_the_scope(tenant, actor, statement):
    with contextlib.suppress(psycopg.errors.DivisionByZero), scope(tenant, actor=actor) as s:
        s.cursor().execute(statement)
    with connections[s.alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('app.scope', true)")
        assert cursor.fetchone()[0] in (None, "")


def test_scopes_do_not_nest(tenant, stranger_tenant, actor):
    nested = pytest.raises(ScopeNested, match="finish it first")
    with scope(tenant, actor=actor), nested, scope(stranger_tenant, actor=actor):
        raise AssertionError("a scope was opened inside another")


def test_a_scope_must_be_the_outermost_transaction(tenant, actor):
    alias = regions.get_data_alias(tenant.region)
    with transaction.atomic(using=alias), pytest.raises(ScopeNested), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened inside a transaction")


def test_a_scope_cannot_be_constructed_directly(tenant, actor):
    with pytest.raises(ScopeRequired):
        Scope("data_cn", f"tenant:{tenant.id}", actor, tenant)
