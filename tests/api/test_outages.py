"""A database or key service that is down: 503 with Retry-After, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from tenants.keys.queries import forget_keyring
from tenants.regions import TenantRef

REGION = "us"


@pytest.fixture
def close_database(superuser: Callable[..., psycopg.Connection[Any]]) -> Callable[[str], Any]:
    """Shuts the database of an alias: no new connections, and the present ones ended."""

    @contextmanager
    def close_database(alias: str) -> Iterator[None]:
        name = settings.DATABASES[alias]["NAME"]
        behind = superuser("default")
        behind.autocommit = True
        allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
        behind.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
        behind.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            behind.execute(allow.format(sql.Identifier(name), sql.Literal(True)))

    return close_database


@pytest.fixture
def american(make_tenant: Callable[..., TenantRef]) -> TenantRef:
    return make_tenant(region=REGION)


def test_a_lost_data_database_is_503_with_retry_after(
    api: Callable[..., Any], american: TenantRef, close_database: Any
) -> None:
    client = api(american)
    assert client.get("/api/v1/tenant").status_code == 200
    with close_database(f"data_{REGION}"):
        answer = client.post("/api/v1/items", {"id": "mug"})
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert int(answer["Retry-After"]) > 0
    assert client.get("/api/v1/items/mug").status_code == 404


def test_a_lost_key_database_is_503_and_nothing_is_written(
    api: Callable[..., Any], american: TenantRef, close_database: Any
) -> None:
    client = api(american)
    forget_keyring(american)
    with close_database(f"keys_{REGION}"):
        answer = client.post("/api/v1/items", {"id": "mug"})
    assert (answer.status_code, "Retry-After" in answer) == (503, True)
    assert client.get("/api/v1/items").json()["data"] == []


def test_other_regions_go_on(owner: Any, close_database: Any) -> None:
    with close_database(f"data_{REGION}"):
        assert owner.get("/api/v1/tenant").status_code == 200
