"""A platform of its own for a benchmark: fresh services, one tenant, the production programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
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

REGION = "eu"
_PLATFORM_PREFIXES = ("LEPTON_", "DATABASE_URL", "BROKER_URL", "KMS_URL", "OBJECT_STORE_URL")
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
    """`headers` carry the tenant's key."""

    url: str
    headers: dict[str, str]
    environment: dict[str, str]
    supervisor: Supervisor
    services: EmbeddedServices

    def call_api(self, method: str, path: str, body: Any = None) -> Any:
        """One call that is not measured. Raises urllib.error.HTTPError."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", content, self.headers, method=method)  # noqa: S310 - own address
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - own address
            return json.load(answer)

    def start_worker(self) -> None:
        """And beat, which hands it the messages of the outbox."""
        self.supervisor.start(process_commands.build_worker_program(self.environment))
        self.supervisor.start(process_commands.build_beat_program(self.environment))

    def run_module(self, name: str, *arguments: str) -> str:
        """What `python -m name` prints, run with the bench's settings."""
        return _run_process([sys.executable, "-m", name, *arguments], self.environment)

    def run_code(self, code: str) -> str:
        """What it prints, with the bench's settings and Django set up."""
        return _run_process(
            [sys.executable, "-c", f"import django; django.setup(); {code}"], self.environment
        )


@contextmanager
def start_platform(on_message: Callable[[str], None]) -> Iterator[BenchPlatform]:
    """Removes everything at the end. Raises ServiceFailed, or CalledProcessError of a step."""
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
    url = f"http://127.0.0.1:{find_free_port(0)}"
    given = {name: value for name, value in os.environ.items() if not name.startswith(_PLATFORM_PREFIXES)}
    kept = {
        name: os.environ[name] for name in ("LEPTON_WEB_WORKERS", "LEPTON_WEB_THREADS") if name in os.environ
    }
    children = process_commands.build_environment(
        {**given, **kept, "LEPTON_REGIONS": REGION}, home=home, url=url
    )
    on_message("migrating")
    _run_management_command(children, "migrate_all")
    key = _create_tenant(children)
    with psycopg.connect(services.environment[f"DATABASE_URL_DATA_{REGION.upper()}_MIGRATE"]) as connection:
        connection.execute(_CREATE_PLAIN_TABLE)
    supervisor = Supervisor(services, BASE_DIR, on_message)
    try:
        supervisor.start(_add_baselines(process_commands.build_web_program(children, url=url)))
        _wait_until_ready(url)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        yield BenchPlatform(url, headers, children, supervisor, services)
    finally:
        supervisor.stop()


def _add_baselines(web: Program) -> Program:
    argv = [*web.argv[:-1], "lepton_platform.bench.wsgi:application"]
    return Program(web.name, argv, web.environment, web.stop_timeout_seconds)


def _create_tenant(environment: Mapping[str, str]) -> str:
    wanted = ("--name", "Bench", "--vertical", "ecommerce", "--region", REGION, "--plan", "enterprise")
    found = re.search(r"lep_live_\S+", _run_management_command(environment, "create_tenant", *wanted))
    if found is None:
        raise RuntimeError("create_tenant printed no key.")
    return found[0]


def _run_management_command(environment: Mapping[str, str], *arguments: str) -> str:
    return _run_process([sys.executable, str(BASE_DIR / "manage.py"), *arguments], environment)


def _run_process(argv: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        argv, env=dict(environment), cwd=BASE_DIR, check=True, capture_output=True, text=True
    )
    return done.stdout


def _wait_until_ready(url: str, timeout_seconds: float = 90.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 - own address
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The web server did not get ready.")
