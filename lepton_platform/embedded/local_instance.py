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

from lepton_platform.embedded import process_commands
from lepton_platform.embedded.errors import ServiceError
from lepton_platform.embedded.instance_directory import InstanceDirectory, read_json
from lepton_platform.embedded.services import EmbeddedServices, StatusCallback, ensure_services
from lepton_platform.embedded.supervisor import Supervisor

READY_TIMEOUT_SECONDS = 90.0
MAX_COMMAND_ATTEMPTS = 5


@dataclass(slots=True)
class LocalInstance:
    home: InstanceDirectory
    root: Path
    environ: Mapping[str, str]
    report: StatusCallback
    embedded: bool
    url: str = field(init=False)

    def __post_init__(self) -> None:
        last = read_json(self.home.run_file).get("base_url", "")
        self.url = process_commands.choose_base_url(self.environ, previous_url=last)

    def run(self, *, with_demo: bool) -> None:
        """Until KeyboardInterrupt. Raises ServiceFailed, after ending what it had started."""
        children = process_commands.build_environment(self.environ, home=self.home.path, url=self.url)
        with self._run_services() as services:
            supervisor = Supervisor(services, self.root, self.report)
            self._run_command(supervisor, children, "migrate_all")
            try:
                for program in (
                    process_commands.build_web_program(children, url=self.url),
                    process_commands.build_worker_program(children),
                    process_commands.build_beat_program(children),
                ):
                    self.report(f"starting {program.name}")
                    supervisor.start(program)
                if with_demo:
                    self._run_command(supervisor, children, "load_demo")
                self._wait_until_ready(supervisor)
                self._print_welcome(with_demo=with_demo)
                while True:
                    supervisor.check_programs()
                    time.sleep(0.2)
            finally:
                self.report("stopping")
                supervisor.stop()

    @contextmanager
    def _run_services(self) -> Iterator[EmbeddedServices]:
        if not self.embedded:
            self.home.create_directories()
            yield EmbeddedServices(self.home, {})
            return
        services = ensure_services(self.home.path, report=self.report)
        if not services.is_owned:
            raise ServiceError(f"Lepton already runs on {self.home.path}; see {self.home.run_file}.")
        try:
            yield services
        finally:
            services.stop()

    def _run_command(self, supervisor: Supervisor, environment: Mapping[str, str], command: str) -> None:
        """A command that may be interrupted by a dying service: it is asked again, as it may run twice."""
        argv = [sys.executable, str(self.root / "manage.py"), command]
        for attempt in range(1, MAX_COMMAND_ATTEMPTS + 1):
            child = subprocess.Popen(argv, env=dict(environment), cwd=self.root)
            try:
                while child.poll() is None:
                    supervisor.check_programs()
                    time.sleep(0.1)
            finally:
                if child.poll() is None:
                    child.terminate()
                    child.wait()
            if child.returncode == 0:
                return
            if child.returncode == 2:
                break
            self.report(f"{command} failed, attempt {attempt} of {MAX_COMMAND_ATTEMPTS}")
            time.sleep(1.0)
        raise ServiceError(f"{command} failed; see the lines above.")

    def _wait_until_ready(self, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            supervisor.check_programs()
            if _is_ready(f"{self.url}/readyz"):
                return
            time.sleep(0.1)
        raise ServiceError(f"The web server does not answer at {self.url}; see {self.home.logs}/web.log.")

    def _print_welcome(self, *, with_demo: bool) -> None:
        self.report(f"ready at {self.url}")
        if not with_demo:
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


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own address, http or https
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
