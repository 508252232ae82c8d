"""Tests run on their own PostgreSQL and Valkey servers, as the application role, in real transactions.

Tests share the databases but never a tenant: a test that needs an empty tenant opens a new one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import pytest

from lepton_platform.embedded import instance_state
from lepton_platform.embedded.instance_directory import InstanceDirectory, write_private_json
from lepton_platform.embedded.services import DEFAULT_REGIONS, EmbeddedServices, ensure_services
from lepton_platform.embedded.valkey import ValkeyServer
from tests import proofs
from tests.proofs import figure, scale
from tests.unpickling import watch

if TYPE_CHECKING:
    import psycopg

    from tenants.regions import TenantRef
    from tenants.scope import Actor

__all__ = ["figure", "scale"]
ROOT = Path(__file__).resolve().parent.parent


def _create_home() -> InstanceDirectory:
    """Writes settings with ports and passwords. Django reads them in `django.setup()`."""
    for name in [name for name in os.environ if name.startswith(("LEPTON_", "DATABASE_URL", "BROKER_URL"))]:
        del os.environ[name]
    home = InstanceDirectory(Path(tempfile.mkdtemp(prefix="lepton-test-")).resolve())
    home.create_directories()
    state = instance_state.load_state(home, DEFAULT_REGIONS)
    broker = f"redis://:{state.valkey_password}@127.0.0.1:{state.valkey_port}/0"
    write_private_json(
        home.services_file, instance_state.build_environment(home, state, DEFAULT_REGIONS, broker_url=broker)
    )
    os.environ["LEPTON_HOME"] = str(home.path)
    os.environ["DJANGO_SETTINGS_MODULE"] = "lepton_platform.settings"
    return home


watch.install_audit_hook()
HOME = _create_home()
django.setup()


def pytest_addoption(parser: pytest.Parser) -> None:
    proofs.add_options(parser)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    proofs.write_summary(terminalreporter, config)
    watch.write_summary(terminalreporter)


def pytest_sessionfinish(session: pytest.Session) -> None:
    watch.fail_on_violations(session)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(HOME.path, ignore_errors=True)
    watch.delete_logs()


@pytest.fixture(scope="session")
def services(django_db_blocker: Any) -> Iterator[EmbeddedServices]:
    """The servers of this test run, migrated. The first test that needs them starts them."""
    from django.db import connections

    running = ensure_services(HOME.path)
    try:
        subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "migrate_all"], check=True, stdout=subprocess.DEVNULL
        )
        with django_db_blocker.unblock():
            yield running
            for connection in connections.all(initialized_only=True):
                connection.close()
                connection.close_pool()
    finally:
        running.stop()


@pytest.fixture
def database(services: EmbeddedServices) -> Iterator[None]:
    """For tests that use the databases without a tenant. A test must close its transactions."""
    from django.db import connections

    yield
    left_open = [
        connection.alias
        for connection in connections.all(initialized_only=True)
        if connection.in_atomic_block
    ]
    for connection in connections.all(initialized_only=True):
        connection.close()
    assert left_open == []


@pytest.fixture
def superuser(services: EmbeddedServices) -> Iterator[Callable[[str], psycopg.Connection[Any]]]:
    """Opens a superuser's connection to the database of a Django alias, to which row policies do not apply."""
    from django.conf import settings

    opened: list[psycopg.Connection[Any]] = []

    def connect(alias: str = "default") -> psycopg.Connection[Any]:
        assert services.postgres is not None
        opened.append(services.postgres.connect(settings.DATABASES[alias]["NAME"]))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def actor() -> Actor:
    from tenants.scope import Actor

    return Actor("system", "test")


@pytest.fixture
def make_tenant(database: None, actor: Actor) -> Callable[..., TenantRef]:
    """`make_tenant(vertical="ecommerce", region="eu", plan="growth", slug=None, owner=None)` opens a tenant."""
    from tests.platform.tenants import open_test_tenant

    return lambda **options: open_test_tenant(actor=actor, **options)


@pytest.fixture
def tenant(make_tenant: Callable[..., TenantRef]) -> TenantRef:
    return make_tenant()


@pytest.fixture
def stranger_tenant(make_tenant: Callable[..., TenantRef]) -> TenantRef:
    """Another tenant in the same region: the same databases, other keys."""
    return make_tenant()


@pytest.fixture
def client(database: None) -> Any:
    """An anonymous browser."""
    from django.test import Client

    return Client()


@pytest.fixture
def api(database: None, actor: Actor) -> Callable[..., Any]:
    """A client's developer: `api(tenant)` or `api(tenant, scopes=["items:read"])`."""
    from tests.platform.api_client import create_api_client

    return lambda tenant, scopes=None: create_api_client(tenant, scopes, actor=actor)


@pytest.fixture
def flush_valkey(services: EmbeddedServices) -> None:
    """An empty cache and fresh rate limits."""
    import redis

    assert isinstance(services.valkey, ValkeyServer)
    with redis.Redis.from_url(services.valkey.build_url(1)) as server:
        server.flushdb()
