"""A control plane and two regions. Each region has separate servers, processes and settings."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import redis

from lepton_platform.embedded import process_commands
from lepton_platform.embedded.ports import find_free_port
from lepton_platform.embedded.services import EmbeddedServices, ensure_services
from lepton_platform.embedded.supervisor import Supervisor
from lepton_platform.http_client import HttpResponse
from lepton_platform.management.isolation.clients import ClientRequest
from tests.faults.platform import ROOT, wait_until

REGIONS = ("cn", "eu")
_PLATFORM_PREFIXES = (
    "LEPTON_",
    "DATABASE_URL",
    "BROKER_URL",
    "VALKEY_URL",
    "KMS_URL",
    "OBJECT_STORE_URL",
    "DJANGO_",
)
_SHARED_SECRETS = ("LEPTON_SECRET_KEY", "LEPTON_KEY_PEPPER", "LEPTON_SCOPE_KEY_CONTROL")
_DIGEST = "SELECT count(*) || ':' || md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {} t"
_TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""


@dataclass(frozen=True)
class Servers:
    """A PostgreSQL cluster and a Valkey with their files."""

    home: Path
    services: EmbeddedServices

    def list_databases(self) -> list[str]:
        with self.connect("postgres") as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE 'lepton%' ORDER BY 1"
            )
            return [name for (name,) in rows]

    def connect(self, database: str) -> psycopg.Connection[Any]:
        assert self.services.postgres is not None
        return self.services.postgres.connect(database)

    def iter_tables(self) -> Iterator[tuple[psycopg.Connection[Any], str]]:
        for database in self.list_databases():
            with self.connect(database) as connection:
                for (table,) in connection.execute(_TABLES).fetchall():
                    yield connection, table

    def compute_digests(self) -> dict[str, str]:
        """Row count and digest of every table except those of Celery beat."""
        return {
            f"{connection.info.dbname}.{table}": connection.execute(_DIGEST.format(table)).fetchone()[0]
            for connection, table in self.iter_tables()
            if "celery_beat" not in table
        }

    def list_cache_keys(self) -> list[bytes]:
        with self.connect_valkey(1) as cache:
            return list(cache.scan_iter())

    def connect_valkey(self, database: int) -> redis.Redis:
        """Database 0 is the broker, 1 the cache."""
        assert self.services.valkey is not None
        return redis.Redis.from_url(self.services.valkey.build_url(database))

    @cached_property
    def ports(self) -> set[int]:
        assert self.services.postgres is not None
        assert self.services.valkey is not None
        return {self.services.postgres.port, self.services.valkey.port}


@dataclass(frozen=True)
class RegionDeployment(Servers):
    """Servers, settings and processes of one region."""

    region: str
    url: str
    environment: Mapping[str, str]
    supervisor: Supervisor

    def start(self) -> None:
        self.supervisor.start(process_commands.build_web_program(self.environment, url=self.url))
        self.supervisor.start(process_commands.build_worker_program(self.environment))
        self.supervisor.start(process_commands.build_beat_program(self.environment))
        wait_until(self._is_ready, 120, f"{self.region} answers; {self.home}/logs")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def run_manage_command(self, *arguments: str) -> str:
        return _run([str(ROOT / "manage.py"), *arguments], self.environment)

    def run_staff_step(self, name: str, *arguments: str) -> str:
        """Runs a step that has no management command; see `staff_steps.py`."""
        return _run(["-m", "tests.residency.staff_steps", name, *arguments], self.environment)

    def send_task(self, name: str, *, queue: str, **ids: str) -> None:
        """Sends a task to the broker of this region, as the relay does."""
        call = ["-m", "celery", "--app", "lepton_platform.celery:app", "--skip-checks", "call", name]
        _run([*call, "--queue", queue, "--kwargs", json.dumps(ids)], self.environment)

    def send_request(self, request: ClientRequest, key: str, **headers: str) -> HttpResponse:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        all_headers = {"Authorization": f"Bearer {key}", "Content-Type": request.content_type, **headers}
        try:
            connection.request(request.method, request.path, request.body or None, all_headers)
            response = connection.getresponse()
            return HttpResponse(response.status, response.read())
        finally:
            connection.close()

    def list_processes(self) -> list[psutil.Process]:
        """Web, worker and beat with their child processes."""
        roots = [psutil.Process(self.supervisor.get_pid(name)) for name in ("web", "worker", "beat")]
        processes = list(roots)
        for root in roots:
            processes += root.children(recursive=True)
        return processes

    def find_connected_ports(self) -> set[int]:
        """Remote ports of the open connections of the processes."""
        connections = chain.from_iterable(process.net_connections("tcp") for process in self.list_processes())
        return {
            connection.raddr.port
            for connection in connections
            if connection.raddr and connection.status == psutil.CONN_ESTABLISHED
        }

    @cached_property
    def secrets(self) -> list[str]:
        """Settings that give access to this region: passwords, the scope key, addresses."""
        suffix = f"_{self.region.upper()}"
        region_values = [value for name, value in self.environment.items() if name.endswith(suffix)]
        return [*region_values, self.environment["BROKER_URL"]]


@dataclass(frozen=True)
class Installation:
    control: Servers
    deployments: tuple[RegionDeployment, RegionDeployment]

    def list_pairs(self) -> list[tuple[RegionDeployment, RegionDeployment]]:
        """Each region with the other one."""
        deployment_a, deployment_b = self.deployments
        return [(deployment_a, deployment_b), (deployment_b, deployment_a)]


@contextmanager
def start_two_regions(folder: Path) -> Iterator[Installation]:
    with ExitStack() as stack:
        control = _start_servers(stack, folder / "control", ())
        deployments = tuple(
            _prepare_deployment(stack, folder / region, region, control) for region in REGIONS
        )
        for deployment in deployments:
            deployment.run_manage_command("migrate_all")
        for deployment in deployments:
            deployment.start()
        yield Installation(control, deployments)  # type: ignore[arg-type]  # two of them


def _start_servers(stack: ExitStack, home: Path, regions: Sequence[str]) -> Servers:
    services = ensure_services(home, regions=regions)
    stack.callback(services.stop)
    return Servers(home, services)


def _prepare_deployment(stack: ExitStack, home: Path, region: str, control: Servers) -> RegionDeployment:
    servers = _start_servers(stack, home, (region,))
    url = f"http://127.0.0.1:{find_free_port()}"
    environment = _build_environment(servers, control.services.environment, region, url)
    supervisor = Supervisor(servers.services, ROOT, lambda _line: None)
    stack.callback(supervisor.stop)
    return RegionDeployment(home, servers.services, region, url, environment, supervisor)


def _build_environment(servers: Servers, control: Mapping[str, str], region: str, url: str) -> dict[str, str]:
    """Settings of a machine of one region, as in the README: the control plane and this region only."""
    shared = {
        name: control[name] for name in (*_SHARED_SECRETS, *_list_database_settings(control, "CONTROL"))
    }
    own_settings = {
        name: value
        for name, value in servers.services.environment.items()
        if name == "BROKER_URL" or re.search(rf"_{region.upper()}(_MIGRATE)?$", name)
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_PLATFORM_PREFIXES)}
    process_counts = {"LEPTON_WEB_WORKERS": "1", "LEPTON_WORKER_PROCESSES": "1"}
    region_settings = {"LEPTON_REGIONS": ",".join(REGIONS), "LEPTON_SERVED_REGIONS": region}
    return process_commands.build_environment(
        {**inherited, **shared, **own_settings, **process_counts, **region_settings},
        home=servers.home,
        url=url,
    )


def _list_database_settings(environment: Mapping[str, str], plane: str) -> list[str]:
    return [name for name in environment if name.startswith(f"DATABASE_URL_{plane}")]


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    completed = subprocess.run(
        [sys.executable, *arguments],
        env=dict(environment),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert completed.returncode == 0, completed.stderr[-2000:]
    return completed.stdout
