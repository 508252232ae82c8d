"""Without a scope nothing answers: not an empty list, an error."""

from __future__ import annotations

import threading

import psycopg
import pytest
from django.apps import apps
from django.db import connections, transaction
from django.db.utils import ProgrammingError

from tenants import regions
from tenants.base import TenantModel
from tenants.data.actions.jobs import request_job
from tenants.errors import ScopeNested, ScopeRequired
from tenants.scope import Scope, current_scope, scope

SCOPED = [model for model in apps.get_models() if issubclass(model, TenantModel)]
TABLES = [model._meta.db_table for model in SCOPED if model._meta.app_label in {"data", "recommender"}]


@pytest.fixture
def a_job(tenant, actor) -> None:
    """A policy is asked for rows only: the two tables that beat sweeps need one."""
    with scope(tenant, actor=actor) as s:
        request_job(s, "train", parameters={})


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model._meta.label)
def test_a_manager_refuses_to_read(model, services):
    with pytest.raises(ScopeRequired):
        list(model.objects.all())


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model._meta.label)
def test_a_manager_refuses_to_write(model, services):
    with pytest.raises(ScopeRequired):
        model.objects.bulk_create([model()])


@pytest.mark.parametrize("table", TABLES)
def test_sql_without_a_claim_raises_on_every_table(table, tenant, a_job):
    with (
        pytest.raises(ProgrammingError, match="no scope"),
        connections[regions.data_alias(tenant.region)].cursor() as c,
    ):
        c.execute(f'SELECT count(*) FROM "{table}"')


@pytest.mark.parametrize("table", TABLES)
def test_a_delete_without_a_claim_raises_instead_of_deleting_nothing(table, tenant, a_job):
    alias = regions.data_alias(tenant.region)
    refused = "no scope|permission denied"
    with pytest.raises(ProgrammingError, match=refused), connections[alias].cursor() as c:
        c.execute(f'DELETE FROM "{table}"')


def test_a_scope_in_another_thread_does_not_count(tenant, actor):
    caught: list[Exception] = []

    def look() -> None:
        try:
            current_scope()
        except ScopeRequired as error:
            caught.append(error)

    with scope(tenant, actor=actor):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_the_claim_is_gone_after_the_scope(tenant, actor):
    with scope(tenant, actor=actor) as s:
        alias = s.alias
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('app.scope', true)")
        assert cursor.fetchone()[0] in (None, "")


def test_the_claim_is_gone_after_an_error(tenant, actor):
    with pytest.raises(psycopg.errors.DivisionByZero), scope(tenant, actor=actor) as s:
        s.cursor().execute("SELECT 1/0")
    with connections[s.alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('app.scope', true)")
        assert cursor.fetchone()[0] in (None, "")


def test_a_scope_does_not_nest(tenant, stranger_tenant, actor):
    with scope(tenant, actor=actor), pytest.raises(ScopeNested), scope(stranger_tenant, actor=actor):
        raise AssertionError("a scope was opened inside another")


def test_a_scope_is_the_outermost_block(tenant, actor):
    alias = regions.data_alias(tenant.region)
    with transaction.atomic(using=alias), pytest.raises(ScopeNested), scope(tenant, actor=actor):
        raise AssertionError("a scope was opened inside a transaction")


def test_a_scope_cannot_be_made_by_hand(tenant, actor):
    with pytest.raises(ScopeRequired):
        Scope("data_cn", f"tenant:{tenant.id}", actor, tenant)
