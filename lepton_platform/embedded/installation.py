"""`manage.py up`: the whole platform on one machine, from nothing."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lepton_platform.embedded import programs
from lepton_platform.embedded.errors import ServiceFailed
from lepton_platform.embedded.home import Home, read_json
from lepton_platform.embedded.services import Report, Services, ensure_services
from lepton_platform.embedded.supervisor import Supervisor

READY_SECONDS = 90.0
STEP_ATTEMPTS = 5


@dataclass(slots=True)
class Installation:
    home: Home
    root: Path
    environ: Mapping[str, str]
    report: Report
    embedded: bool
    url: str = field(init=False)

    def __post_init__(self) -> None:
        last = read_json(self.home.run_file).get("base_url", "")
        self.url = programs.base_url(self.environ, last=last)

    def run(self, *, demo: bool) -> None:
        """Until KeyboardInterrupt. Raises ServiceFailed, after ending what it had started."""
        children = programs.environment(self.environ, home=self.home.path, url=self.url)
        with self._services() as services:
            supervisor = Supervisor(services, self.root, self.report)
            self._step(supervisor, children, "migrate_all")
            try:
                for program in (
                    programs.web(children, url=self.url),
                    programs.worker(children),
                    programs.beat(children),
                ):
                    self.report(f"starting {program.name}")
                    supervisor.start(program)
                if demo:
                    self._step(supervisor, children, "load_demo")
                self._wait_until_ready(supervisor)
                self._print_welcome(demo=demo)
                while True:
                    supervisor.tick()
                    time.sleep(0.2)
            finally:
                self.report("stopping")
                supervisor.stop()

    @contextmanager
    def _services(self) -> Iterator[Services]:
        if not self.embedded:
            self.home.prepare()
            yield Services(self.home, {})
            return
        services = ensure_services(self.home.path, report=self.report)
        if not services.owned:
            raise ServiceFailed(f"Lepton already runs on {self.home.path}; see {self.home.run_file}.")
        try:
            yield services
        finally:
            services.stop()

    def _step(self, supervisor: Supervisor, children: Mapping[str, str], command: str) -> None:
        """A command that may be interrupted by a dying service: it is asked again, as it may run twice."""
        argv = [sys.executable, str(self.root / "manage.py"), command]
        for attempt in range(1, STEP_ATTEMPTS + 1):
            child = subprocess.Popen(argv, env=dict(children), cwd=self.root)
            try:
                while child.poll() is None:
                    supervisor.tick()
                    time.sleep(0.1)
            finally:
                if child.poll() is None:
                    child.terminate()
                    child.wait()
            if child.returncode == 0:
                return
            if child.returncode == 2:
                break
            self.report(f"{command} failed, attempt {attempt} of {STEP_ATTEMPTS}")
            time.sleep(1.0)
        raise ServiceFailed(f"{command} failed; see the lines above.")

    def _wait_until_ready(self, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            supervisor.tick()
            if _answers(f"{self.url}/readyz"):
                return
            time.sleep(0.1)
        raise ServiceFailed(f"The web server does not answer at {self.url}; see {self.home.logs}/web.log.")

    def _print_welcome(self, *, demo: bool) -> None:
        self.report(f"ready at {self.url}")
        if not demo:
            return
        facts = read_json(self.home.run_file)
        tenant = facts["tenants"][0]
        lines = (
            "",
            f"  Portal    {facts['base_url']}/",
            f"  Sign in   {facts['sign_in']['email']}   {facts['sign_in']['password']}",
            f"  API docs  {facts['base_url']}/docs",
            f"  Tenant    {tenant['name']}",
            "",
            f"  {facts['curl']}",
            "",
            f"  All tenants and keys: {self.home.run_file}. Ctrl-C stops everything.",
            "",
        )
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address, http or https
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
