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

from lepton_platform.embedded import programs
from lepton_platform.embedded.ports import free_port
from lepton_platform.embedded.services import Services, ensure_services
from lepton_platform.embedded.supervisor import Program, Supervisor
from lepton_platform.env import BASE_DIR

REGION = "eu"
_OURS = ("LEPTON_", "DATABASE_URL", "BROKER_URL", "KMS_URL", "OBJECT_STORE_URL")
_PLAIN = """
CREATE TABLE IF NOT EXISTS bench_plain_event (
    owner_id uuid NOT NULL, profile_id text NOT NULL, item_id text NOT NULL, kind text NOT NULL,
    at timestamptz NOT NULL, value float8, event_id text,
    no bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (owner_id, profile_id, no)
);
GRANT SELECT, INSERT ON bench_plain_event TO lepton_app;
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """`headers` carry the tenant's key."""

    url: str
    headers: dict[str, str]
    environment: dict[str, str]
    supervisor: Supervisor
    services: Services

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call that is not measured. Raises urllib.error.HTTPError."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", content, self.headers, method=method)  # noqa: S310 - own address
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - own address
            return json.load(answer)

    def start_worker(self) -> None:
        """And beat, which hands it the messages of the outbox."""
        self.supervisor.start(programs.worker(self.environment))
        self.supervisor.start(programs.beat(self.environment))

    def module(self, name: str, *arguments: str) -> str:
        """What `python -m name` prints, run with the bench's settings."""
        return _run([sys.executable, "-m", name, *arguments], self.environment)

    def python(self, code: str) -> str:
        """What it prints, with the bench's settings and Django set up."""
        return _run([sys.executable, "-c", f"import django; django.setup(); {code}"], self.environment)


@contextmanager
def platform(say: Callable[[str], None]) -> Iterator[Bench]:
    """Removes everything at the end. Raises ServiceFailed, or CalledProcessError of a step."""
    home = Path(tempfile.mkdtemp(prefix="lepton-bench-"))
    say("starting services")
    services = ensure_services(home, regions=(REGION,))
    try:
        yield from _with_programs(home, services, say)
    finally:
        services.stop()
        shutil.rmtree(home, ignore_errors=True)


def _with_programs(home: Path, services: Services, say: Callable[[str], None]) -> Iterator[Bench]:
    url = f"http://127.0.0.1:{free_port(0)}"
    given = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    kept = {
        name: os.environ[name] for name in ("LEPTON_WEB_WORKERS", "LEPTON_WEB_THREADS") if name in os.environ
    }
    children = programs.environment({**given, **kept, "LEPTON_REGIONS": REGION}, home=home, url=url)
    say("migrating")
    _manage(children, "migrate_all")
    key = _open_tenant(children)
    with psycopg.connect(services.environment[f"DATABASE_URL_DATA_{REGION.upper()}_MIGRATE"]) as connection:
        connection.execute(_PLAIN)
    supervisor = Supervisor(services, BASE_DIR, say)
    try:
        supervisor.start(_with_baselines(programs.web(children, url=url)))
        _wait(url)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        yield Bench(url, headers, children, supervisor, services)
    finally:
        supervisor.stop()


def _with_baselines(web: Program) -> Program:
    argv = [*web.argv[:-1], "lepton_platform.bench.wsgi:application"]
    return Program(web.name, argv, web.environment, web.patience_seconds)


def _open_tenant(children: Mapping[str, str]) -> str:
    wanted = ("--name", "Bench", "--vertical", "ecommerce", "--region", REGION, "--plan", "enterprise")
    found = re.search(r"lep_live_\S+", _manage(children, "create_tenant", *wanted))
    if found is None:
        raise RuntimeError("create_tenant printed no key.")
    return found[0]


def _manage(children: Mapping[str, str], *arguments: str) -> str:
    return _run([sys.executable, str(BASE_DIR / "manage.py"), *arguments], children)


def _run(argv: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        argv, env=dict(environment), cwd=BASE_DIR, check=True, capture_output=True, text=True
    )
    return done.stdout


def _wait(url: str, patience_seconds: float = 90.0) -> None:
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):  # noqa: S310 - own address
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The web server did not get ready.")
