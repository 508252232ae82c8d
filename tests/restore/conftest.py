from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from lepton_platform.embedded.services import EmbeddedServices
from recommender.serving.snapshot import cache
from tests.restore.backups import DatabaseBackups


@pytest.fixture(autouse=True)
def stop_snapshot_loading() -> Iterator[None]:
    """No thread holds a connection to a database that is dropped and restored."""
    cache.stop_snapshot_cache()
    yield
    cache.stop_snapshot_cache()


@pytest.fixture
def backups(services: EmbeddedServices, database: None, tmp_path: Path) -> DatabaseBackups:
    assert services.postgres is not None
    return DatabaseBackups(services.postgres, tmp_path)


@pytest.fixture
def query_sql(services: EmbeddedServices) -> Callable[..., list[tuple[Any, ...]]]:
    """`query_sql("data_eu", sql, *parameters)` as the superuser, on a connection of its own that a restore cannot close."""

    def run(alias: str, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        assert services.postgres is not None
        with services.postgres.connect(settings.DATABASES[alias]["NAME"]) as connection:
            return connection.execute(sql, parameters).fetchall()

    return run
