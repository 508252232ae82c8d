"""A claim never reaches the next borrower of a connection."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connections

from lepton_platform.pool import assert_unscoped
from tenants.scope import scope


@pytest.fixture
def raw(database):
    connection = connections["data_eu"]
    connection.ensure_connection()
    return connection.connection


def test_after_a_scope_the_connection_is_clean(tenant, actor, raw):
    with scope(tenant, actor=actor):
        pass
    assert_unscoped(raw)
    assert raw.execute("SELECT current_setting('app.scope', true)").fetchone() == ("",)


def test_a_claim_set_for_the_session_is_not_returned_to_the_pool(raw):
    raw.execute("SELECT set_config('app.scope', 'tenant:x', false)")
    with pytest.raises(psycopg.OperationalError, match="outlived"):
        assert_unscoped(raw)
    raw.execute("SELECT set_config('app.scope', '', false)")


def test_the_pool_discards_such_a_connection(database):
    connection = connections["data_eu"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), set_config('app.scope', 'tenant:x', false)")
        spoiled = cursor.fetchone()[0]
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), coalesce(current_setting('app.scope', true), '')")
        pid, claim = cursor.fetchone()
    assert (pid != spoiled, claim) == (True, "")
