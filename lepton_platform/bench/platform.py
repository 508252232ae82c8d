"""A temporary platform for a benchmark: fresh services, one tenant and the production programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from lepton_platform.embedded import process_commands
from lepton_platform.embedded.ports import find_free_port
from lepton_platform.embedded.services import EmbeddedServices, ensure_services
from lepton_platform.embedded.supervisor import Program, Supervisor
from lepton_platform.env import BASE_DIR
from lepton_platform.http_client import HttpConnection, build_authorization, wait_until_ready

# One region suffices for rates, and needs three databases instead of seven.
REGION = "eu"
CALL_TIMEOUT_SECONDS = 120.0
READY_TIMEOUT_SECONDS = 90.0
_PLATFORM_PREFIXES = ("LEPTON_", "DATABASE_URL", "BROKER_URL", "KMS_URL", "OBJECT_STORE_URL")
_PASSED_SETTINGS = ("LEPTON_WEB_WORKERS", "LEPTON_WEB_THREADS")
_CREATE_PLAIN_TABLE = """
CREATE TABLE IF NOT EXISTS bench_plain_event (
    owner_id uuid NOT NULL, profile_id text NOT NULL, item_id text NOT NULL, kind text NOT NULL,
    at timestamptz NOT NULL, value float8, event_id text,
    no bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (owner_id, profile_id, no)
);
GRANT SELECT, INSERT ON bench_plain_event TO lepton_app;
"""


@dataclass(frozen=True, slots=True)
class BenchPlatform:
    """A running platform; `headers` contain the tenant's API key."""

    url: str
    headers: dict[str, str]
    environment: dict[str, str]
    supervisor: Supervisor
    services: EmbeddedServices

    def call_api(self, method: str, path: str, body: Any = None) -> Any:
        """Sends one request that is not measured and returns the parsed body. Raises RuntimeError if it fails."""
        content = b"" if body is None else json.dumps(body).encode()
        connection = HttpConnection(self.url, timeout_seconds=CALL_TIMEOUT_SECONDS)
        try:
            response = connection.send_request(method, path, content, self.headers)
        finally:
            connection.close()
        if not response.is_success:
            raise RuntimeError(f"{method} {path}: {response.status} {response.get_text()}")
        return json.loads(response.body)

    def start_worker(self) -> None:
        """Starts a worker, and beat, which sends it the messages of the outbox."""
        self.supervisor.start(process_commands.build_worker_program(self.environment))
        self.supervisor.start(process_commands.build_beat_program(self.environment))

    def run_module(self, name: str, *arguments: str) -> str:
        """Output of `python -m name` with the settings of this platform."""
        return _run_process([sys.executable, "-m", name, *arguments], self.environment)

    def run_code(self, code: str) -> str:
        """Output of Python statements, run with the settings of this platform and Django set up."""
        return _run_process(
            [sys.executable, "-c", f"import django; django.setup()\n{code}"], self.environment
        )


@contextmanager
def start_platform(on_message: Callable[[str], None]) -> Iterator[BenchPlatform]:
    """Starts a platform in a temporary folder and removes it at the end.

    Raises:
        ServiceError: a service does not start.
        CalledProcessError: a preparing command fails.
    """
    home = Path(tempfile.mkdtemp(prefix="lepton-bench-"))
    on_message("starting services")
    services = ensure_services(home, regions=(REGION,))
    try:
        yield from _start_programs(home, services, on_message)
    finally:
        services.stop()
        shutil.rmtree(home, ignore_errors=True)


def _start_programs(
    home: Path, services: EmbeddedServices, on_message: Callable[[str], None]
) -> Iterator[BenchPlatform]:
    # A random port: a running installation may use the default one.
    url = f"http://127.0.0.1:{find_free_port(0)}"
    environment = process_commands.build_environment(_select_environment(), home=home, url=url)
    on_message("migrating")
    _run_management_command(environment, "migrate_all")
    key = _create_tenant(environment)
    with psycopg.connect(services.environment[f"DATABASE_URL_DATA_{REGION.upper()}_MIGRATE"]) as connection:
        # As the migrator: the application role may not create tables.
        connection.execute(_CREATE_PLAIN_TABLE)
    supervisor = Supervisor(services, BASE_DIR, on_message)
    try:
        supervisor.start(_add_baselines(process_commands.build_web_program(environment, url=url)))
        if not wait_until_ready(url, timeout_seconds=READY_TIMEOUT_SECONDS):
            raise RuntimeError("The web server did not get ready.")
        headers = {**build_authorization(key), "Content-Type": "application/json"}
        yield BenchPlatform(url, headers, environment, supervisor, services)
    finally:
        supervisor.stop()


def _select_environment() -> dict[str, str]:
    """This process's environment without the platform's settings, so that no real installation is measured."""
    selected = {}
    for name, value in os.environ.items():
        if name in _PASSED_SETTINGS or not name.startswith(_PLATFORM_PREFIXES):
            selected[name] = value
    return {**selected, "LEPTON_REGIONS": REGION}


def _add_baselines(web: Program) -> Program:
    """The web program with the WSGI application (last argument) that also serves the baselines."""
    argv = [*web.argv[:-1], "lepton_platform.bench.wsgi:application"]
    return Program(web.name, argv, web.environment, web.stop_timeout_seconds)


def _create_tenant(environment: Mapping[str, str]) -> str:
    """Creates the tenant and returns its API key, which the command prints."""
    arguments = ("--name", "Bench", "--vertical", "ecommerce", "--region", REGION, "--plan", "enterprise")
    output = _run_management_command(environment, "create_tenant", *arguments)
    match = re.search(r"lep_live_\S+", output)
    if match is None:
        raise RuntimeError("create_tenant printed no key.")
    return match[0]


def _run_management_command(environment: Mapping[str, str], *arguments: str) -> str:
    return _run_process([sys.executable, str(BASE_DIR / "manage.py"), *arguments], environment)


def _run_process(argv: list[str], environment: Mapping[str, str]) -> str:
    completed = subprocess.run(
        argv,
        env=dict(environment),
        cwd=BASE_DIR,
        check=True,
        capture_output=True,
        text=True,
    )
    return completed.stdout
