"""Without a scope nothing answers: not an empty list, an error, however the question is asked and from where."""

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
from tests.isolation.celery_worker import worker
from tests.isolation.circumstances import CIRCUMSTANCES
from tests.isolation.raw_queries import COPIES, QUERIES, run

SCOPED = [model for model in apps.get_models() if isinstance(model._default_manager, ScopedManager)]
TABLES = {
    alias: [model._meta.db_table for model in SCOPED if model._meta.app_label in labels]
    for alias, labels in {
        "default": {"control"},
        "data_eu": {"data", "recommender"},
        "keys_eu": {"keys"},
    }.items()
}
SAID = "no scope|permission denied"


def verbs(model: type[Model]) -> dict[str, Callable[[], object]]:
    """Every way to a table that a manager offers, by name."""
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


def silent_verbs() -> list[str]:
    return [
        f"{model._meta.label} {name}"
        for model in SCOPED
        for name, verb in verbs(model).items()
        if not refuses(verb)
    ]


def refuses(act: Callable[[], object]) -> bool:
    """By the manager, or at the latest by PostgreSQL: a row in hand of the control plane asks no manager."""
    try:
        act()
    except ScopeRequired:
        return True
    except ProgrammingError as error:
        return re.search(SAID, str(error)) is not None
    return False


def silent_queries(alias: str) -> list[str]:
    """Names of the queries that were answered. An error that is not about the scope is raised."""
    return [name for name in (*QUERIES, *COPIES) if not refused(alias, name)]


def refused(alias: str, name: str) -> bool:
    """In a savepoint of its own when a transaction is open."""
    connection = connections[alias]
    try:
        with transaction.atomic(using=alias) if connection.in_atomic_block else connection.cursor():
            run(psycopg.Cursor(connection.connection), name)
    except (psycopg.errors.InsufficientPrivilege, ProgrammingError) as error:
        return re.search(SAID, str(error)) is not None
    return False


@pytest.fixture(scope="module")
def running(services) -> Iterator[None]:
    with worker(threads=1):
        yield


@pytest.fixture
def application(settings, database) -> Any:
    settings.ROOT_URLCONF = "tests.isolation.site"
    return wsgi_handlers.build_application()


@pytest.fixture
def content(tenant, actor) -> None:
    with scope(tenant, actor=actor) as s:
        upsert_items(s, [ItemInput(id="a"), ItemInput(id="b")])
        request_job(s, "train", parameters={})


@pytest.fixture
def bare(superuser) -> str:
    """A database without rows, as PostgreSQL itself knows: the planner then reads no index."""
    superuser("data_us").execute("VACUUM ANALYZE")
    return "data_us"


def test_every_model_with_a_tenant_has_the_manager(services):
    with_tenant = {model for model in apps.get_models() if hasattr(model, "tenant_id")}
    assert with_tenant == set(SCOPED)
    assert sum(len(tables) for tables in TABLES.values()) == len(SCOPED) > 20


@pytest.mark.proof(row=3)
@pytest.mark.parametrize("where", CIRCUMSTANCES, ids=lambda where: where.__name__)
def test_every_manager_refuses(where, tenant, application, running, figure):
    silent: list[str] = []
    where(lambda: silent.extend(silent_verbs()), tenant=tenant, application=application)
    n_attempts = sum(len(verbs(model)) for model in SCOPED)
    what = f"verbs of {len(SCOPED)} managers answered without a scope, {where.__name__}"
    assert figure(what, len(silent), of=n_attempts, passes=not silent), silent


@pytest.mark.proof(row=3)
@pytest.mark.parametrize("where", CIRCUMSTANCES, ids=lambda where: where.__name__)
def test_every_raw_query_raises(where, tenant, content, bare, application, running, figure):
    silent: list[str] = []

    def ask() -> None:
        for alias in (regions.get_data_alias(tenant.region), bare):
            silent.extend(f"{alias}: {name}" for name in silent_queries(alias))

    where(ask, tenant=tenant, application=application)
    n_attempts = 2 * (len(QUERIES) + len(COPIES))
    what = f"raw queries answered without a scope, {where.__name__}"
    assert figure(what, len(silent), of=n_attempts, passes=not silent and n_attempts >= 60), silent


@pytest.mark.parametrize("name", [*QUERIES, *COPIES])
def test_in_a_scope_the_same_query_is_answered(name, tenant, content, actor):
    with scope(tenant, actor=actor) as s, s.cursor().connection.transaction(force_rollback=True):
        output = run(s.cursor(), name, of=tenant.id)
    assert re.match("[A-Z]+( [A-Z]+)*( [0-9]+)*$", output), output


@pytest.mark.parametrize("alias", list(TABLES))
@pytest.mark.parametrize("verb", ["SELECT count(*) FROM", "DELETE FROM"])
def test_every_table_raises_with_rows_and_without(alias, verb, tenant, content, superuser):
    for state in (alias, alias.replace("_eu", "_us")):
        superuser(state).execute("VACUUM ANALYZE")
        for table in TABLES[alias]:
            with pytest.raises(ProgrammingError, match=SAID), connections[state].cursor() as cursor:
                cursor.execute(f'{verb} "{table}"')


def test_a_statement_prepared_in_a_scope_raises_outside(tenant, bare, actor):
    with scope(regions.TenantRef(tenant.id, "us"), actor=actor) as s:
        s.cursor().execute("PREPARE again (int) AS SELECT * FROM data_review WHERE item_no = $1")
        for number in range(8):
            s.cursor().execute(f"EXECUTE again ({number})")
    with pytest.raises(ProgrammingError, match="no scope"), connections[bare].cursor() as cursor:
        cursor.execute("EXECUTE again (1)")


def test_no_statement_is_prepared_for_being_frequent(tenant, actor):
    with scope(tenant, actor=actor) as s:
        for _ in range(20):
            s.cursor().execute("SELECT count(*) FROM data_review")
        assert "data_review" not in " ".join(statement for statement, _parameters in prepared(s))


def test_every_statement_that_the_application_prepares_has_parameters(tenant, actor):
    """One without would keep its plan, and with it the answer to whether there is a claim."""
    with scope(tenant, actor=actor) as s:
        upsert_items(s, [ItemInput(id="mug", title="Mug")])
        record_events(s, [EventInput(profile_id="ann", item_id="mug", kind="view")])
    recommend(tenant, RecommendRequest(profile_id="ann", k=1), actor=actor)
    with scope(tenant, actor=actor) as s:
        plans = prepared(s)
    assert {"data_timeline", "data_receipt", "data_item", "app.scope"} <= {
        name
        for name in ("data_timeline", "data_receipt", "data_item", "app.scope")
        for text, _ in plans
        if name in text
    }
    assert [text for text, parameters in plans if not parameters] == []


def prepared(s: Scope) -> list[tuple[str, int]]:
    """Statements of this connection, with how many parameters each has."""
    rows = (
        s.cursor()
        .execute("SELECT statement, cardinality(parameter_types) FROM pg_prepared_statements")
        .fetchall()
    )
    return [(str(text), int(count)) for text, count in rows]


def test_an_expired_claim_raises_where_there_is_no_row(tenant, bare, actor):
    of_us = regions.TenantRef(tenant.id, "us")
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="expired"),
        scope(of_us, actor=actor, lifetime=-LIFETIME) as s,
    ):
        s.cursor().execute("DELETE FROM data_review")


@pytest.mark.parametrize("fault", ["SELECT 1/0", "SELECT 1"])
def test_the_claim_is_gone_after_the_scope(tenant, actor, fault):
    with contextlib.suppress(psycopg.errors.DivisionByZero), scope(tenant, actor=actor) as s:
        s.cursor().execute(fault)
    with connections[s.alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('app.scope', true)")
        assert cursor.fetchone()[0] in (None, "")


def test_a_scope_does_not_nest(tenant, stranger_tenant, actor):
    nested = pytest.raises(ScopeNested, match="finish it first")
    with scope(tenant, actor=actor), nested, scope(stranger_tenant, actor=actor):
        raise AssertionError("a scope was opened inside another")


def test_a_scope_is_the_outermost_block(tenant, actor):
    alias = regions.get_data_alias(tenant.region)
    with transaction.atomic(using=alias), pytest.raises(ScopeNested), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened inside a transaction")


def test_a_scope_cannot_be_made_by_hand(tenant, actor):
    with pytest.raises(ScopeRequired):
        Scope("data_cn", f"tenant:{tenant.id}", actor, tenant)
