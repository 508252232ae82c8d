"""One control plane and two regions, each with servers, programs and settings of its own and nothing of the other's."""

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
_OURS = ("LEPTON_", "DATABASE_URL", "BROKER_URL", "VALKEY_URL", "KMS_URL", "OBJECT_STORE_URL", "DJANGO_")
_OF_THE_PLATFORM = ("LEPTON_SECRET_KEY", "LEPTON_KEY_PEPPER", "LEPTON_SCOPE_KEY_CONTROL")
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

    def databases(self) -> list[str]:
        with self.connect("postgres") as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE 'lepton%' ORDER BY 1"
            )
            return [name for (name,) in rows]

    def connect(self, database: str) -> psycopg.Connection[Any]:
        assert self.services.postgres is not None
        return self.services.postgres.connect(database)

    def tables(self) -> Iterator[tuple[psycopg.Connection[Any], str]]:
        for database in self.databases():
            with self.connect(database) as connection:
                for (table,) in connection.execute(_TABLES).fetchall():
                    yield connection, table

    def digests(self) -> dict[str, str]:
        """Rows and digest of every table but Celery's own calendar."""
        return {
            f"{connection.info.dbname}.{table}": connection.execute(_DIGEST.format(table)).fetchone()[0]
            for connection, table in self.tables()
            if "celery_beat" not in table
        }

    def cached(self) -> list[bytes]:
        with self.valkey(1) as cache:
            return list(cache.scan_iter())

    def valkey(self, database: int) -> redis.Redis:
        """Database 0 is the broker, 1 the cache."""
        assert self.services.valkey is not None
        return redis.Redis.from_url(self.services.valkey.build_url(database))

    @cached_property
    def ports(self) -> set[int]:
        assert self.services.postgres is not None
        assert self.services.valkey is not None
        return {self.services.postgres.port, self.services.valkey.port}


@dataclass(frozen=True)
class Side(Servers):
    """Everything of one region."""

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
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def manage(self, *arguments: str) -> str:
        return _run([str(ROOT / "manage.py"), *arguments], self.environment)

    def step(self, name: str, *arguments: str) -> str:
        """A step that has no command of its own; see `steps.py`."""
        return _run(["-m", "tests.residency.steps", name, *arguments], self.environment)

    def send_task(self, name: str, *, queue: str, **ids: str) -> None:
        """Puts a message into this region's broker, as the relay does."""
        call = ["-m", "celery", "--app", "lepton_platform.celery:app", "--skip-checks", "call", name]
        _run([*call, "--queue", queue, "--kwargs", json.dumps(ids)], self.environment)

    def ask(self, request: ClientRequest, key: str, **headers: str) -> HttpResponse:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        sent = {"Authorization": f"Bearer {key}", "Content-Type": request.content_type, **headers}
        try:
            connection.request(request.method, request.path, request.body or None, sent)
            response = connection.getresponse()
            return HttpResponse(response.status, response.read())
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Web, worker and beat with everything that they started."""
        roots = [psutil.Process(self.supervisor.get_pid(name)) for name in ("web", "worker", "beat")]
        return [process for root in roots for process in (root, *root.children(recursive=True))]

    def reached_ports(self) -> set[int]:
        """Where this region's programs are connected to at this moment."""
        open_now = [item for process in self.processes() for item in process.net_connections("tcp")]
        return {
            connection.raddr.port
            for connection in open_now
            if connection.raddr and connection.status == psutil.CONN_ESTABLISHED
        }

    @cached_property
    def secrets(self) -> list[str]:
        """What a process needs to open this region: passwords, the scope key, addresses."""
        own_values = [
            value for name, value in self.environment.items() if name.endswith(f"_{self.region.upper()}")
        ]
        return [*own_values, self.environment["BROKER_URL"]]


@dataclass(frozen=True)
class Installation:
    control: Servers
    sides: tuple[Side, Side]

    def pairs(self) -> list[tuple[Side, Side]]:
        """Each region with the other one."""
        first_side, second_side = self.sides
        return [(first_side, second_side), (second_side, first_side)]


@contextmanager
def two_regions(folder: Path) -> Iterator[Installation]:
    with ExitStack() as stack:
        control = _servers(stack, folder / "control", ())
        sides = tuple(_side(stack, folder / region, region, control) for region in REGIONS)
        for side in sides:
            side.manage("migrate_all")
        for side in sides:
            side.start()
        yield Installation(control, sides)  # type: ignore[arg-type]  # two of them


def _servers(stack: ExitStack, home: Path, regions: Sequence[str]) -> Servers:
    services = ensure_services(home, regions=regions)
    stack.callback(services.stop)
    return Servers(home, services)


def _side(stack: ExitStack, home: Path, region: str, control: Servers) -> Side:
    own_values = _servers(stack, home, (region,))
    url = f"http://127.0.0.1:{find_free_port()}"
    environment = _environment(own_values, control.services.environment, region, url)
    supervisor = Supervisor(own_values.services, ROOT, lambda _line: None)
    stack.callback(supervisor.stop)
    return Side(home, own_values.services, region, url, environment, supervisor)


def _environment(own: Servers, control: Mapping[str, str], region: str, url: str) -> dict[str, str]:
    """As the README shows it for a machine of one region: the control plane, this region, and no other."""
    shared = {name: control[name] for name in (*_OF_THE_PLATFORM, *_urls(control, "CONTROL"))}
    own_settings = {
        name: value
        for name, value in own.services.environment.items()
        if name == "BROKER_URL" or re.search(rf"_{region.upper()}(_MIGRATE)?$", name)
    }
    outside = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    few = {"LEPTON_WEB_WORKERS": "1", "LEPTON_WORKER_PROCESSES": "1"}
    where = {"LEPTON_REGIONS": ",".join(REGIONS), "LEPTON_SERVED_REGIONS": region}
    return process_commands.build_environment(
        {**outside, **shared, **own_settings, **few, **where}, home=own.home, url=url
    )


def _urls(environment: Mapping[str, str], plane: str) -> list[str]:
    return [name for name in environment if name.startswith(f"DATABASE_URL_{plane}")]


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=dict(environment),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
