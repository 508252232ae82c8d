"""`manage.py up`: services, migrations, web server, worker and beat of one machine."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lepton_platform import http_client
from lepton_platform.embedded import process_commands
from lepton_platform.embedded.errors import ServiceError
from lepton_platform.embedded.instance_directory import InstanceDirectory, read_json
from lepton_platform.embedded.services import EmbeddedServices, StatusCallback, ensure_services
from lepton_platform.embedded.supervisor import Supervisor

READY_TIMEOUT_SECONDS = 90.0
MAX_COMMAND_ATTEMPTS = 5
# Exit status of a command that refuses its settings: another attempt would refuse them again.
REFUSED_STATUS = 2


@dataclass(slots=True)
class LocalInstance:
    """The platform on one machine. With `embedded` false, the services of `environ` are used and none is started."""

    home: InstanceDirectory
    root: Path
    environ: Mapping[str, str]
    report: StatusCallback
    embedded: bool
    url: str = field(init=False)

    def __post_init__(self) -> None:
        previous_url = read_json(self.home.run_file).get("base_url", "")
        self.url = process_commands.choose_base_url(self.environ, previous_url=previous_url)

    def run(self, *, with_demo: bool) -> None:
        """Starts everything, then supervises it until KeyboardInterrupt.

        Raises:
            ServiceError: something does not start or does not stay up. All processes are ended first.
        """
        environment = process_commands.build_environment(self.environ, home=self.home.path, url=self.url)
        with self._run_services() as services:
            supervisor = Supervisor(services, self.root, self.report)
            # Before the programs start, because their code needs the new schema.
            self._run_command(supervisor, environment, "migrate_all")
            try:
                self._start_programs(supervisor, environment)
                if with_demo:
                    self._run_command(supervisor, environment, "load_demo")
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

    def _start_programs(self, supervisor: Supervisor, environment: Mapping[str, str]) -> None:
        programs = (
            process_commands.build_web_program(environment, url=self.url),
            process_commands.build_worker_program(environment),
            process_commands.build_beat_program(environment),
        )
        for program in programs:
            self.report(f"starting {program.name}")
            supervisor.start(program)

    def _run_command(self, supervisor: Supervisor, environment: Mapping[str, str], command: str) -> None:
        """Runs a management command that is idempotent; repeats it if it fails, e.g. because a service died."""
        argv = [sys.executable, str(self.root / "manage.py"), command]
        for attempt in range(1, MAX_COMMAND_ATTEMPTS + 1):
            process = subprocess.Popen(argv, env=dict(environment), cwd=self.root)
            try:
                while process.poll() is None:
                    supervisor.check_programs()
                    time.sleep(0.1)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
            if process.returncode == 0:
                return
            if process.returncode == REFUSED_STATUS:
                break
            self.report(f"{command} failed, attempt {attempt} of {MAX_COMMAND_ATTEMPTS}")
            time.sleep(1.0)
        raise ServiceError(f"{command} failed; see the lines above.")

    def _wait_until_ready(self, supervisor: Supervisor) -> None:
        if not http_client.wait_until_ready(
            self.url, timeout_seconds=READY_TIMEOUT_SECONDS, before_poll=supervisor.check_programs
        ):
            raise ServiceError(f"The web server does not answer at {self.url}; see {self.home.logs}/web.log.")

    def _print_welcome(self, *, with_demo: bool) -> None:
        self.report(f"ready at {self.url}")
        if not with_demo:
            return
        run_file = read_json(self.home.run_file)
        tenant = run_file["tenants"][0]
        lines = (
            "",
            f"  Portal    {run_file['base_url']}/",
            f"  Sign in   {run_file['sign_in']['email']}   {run_file['sign_in']['password']}",
            f"  API docs  {run_file['base_url']}/docs",
            f"  Tenant    {tenant['name']}",
            "",
            f"  {run_file['curl']}",
            "",
            f"  All tenants and keys: {self.home.run_file}. Ctrl-C stops everything.",
            "",
        )
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
