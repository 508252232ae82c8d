"""A complete platform, as `make run` starts it, and a client that sends events until it is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from lepton_platform.embedded.ports import find_free_port
from lepton_platform.embedded.supervisor import STABLE_AFTER_SECONDS

ROOT = Path(__file__).resolve().parents[2]
EVENTS_PER_BATCH = 20
# A test run in the background of a shell ignores interrupts, and its children inherit that.
_ACCEPT_INTERRUPTS = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


NEW_EVENTS_PER_BATCH = 15
PROFILES = 25


def wait_until(condition: Callable[[], Any], seconds: float, description: str) -> Any:
    """Polls until the condition is true and returns its value. Raises AssertionError after the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {description}")


class Platform:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{find_free_port()}"
        outer_environment = {
            name: value for name, value in os.environ.items() if not name.startswith("LEPTON_")
        }
        self.environment = {**outer_environment, "LEPTON_HOME": str(home), "LEPTON_BASE_URL": self.url}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.home / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _ACCEPT_INTERRUPTS,
                    sys.executable,
                    str(ROOT / "manage.py"),
                    "up",
                    "--no-demo",
                ],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self.is_ready, 180, f"ready; {self.home}/up.log")

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "up.log").read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(90)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def get_child_processes(self) -> dict[str, psutil.Process]:
        """Direct children of the supervisor by their role."""
        assert self.process is not None
        process_marker_by_role = {
            "postgres": "postgres",
            "valkey": "valkey",
            "web": "granian",
            "worker": "worker",
            "beat": "beat",
        }
        processes: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                command_line = " ".join(child.cmdline())
                for role, marker in process_marker_by_role.items():
                    if marker in command_line:
                        processes.setdefault(role, child)
        return processes

    def wait_until_stable(self, name: str) -> None:
        """Waits until an exit no longer counts as early: the supervisor gives up after several early exits."""
        time.sleep(
            max(0.0, self.get_child_processes()[name].create_time() + STABLE_AFTER_SECONDS + 1 - time.time())
        )

    def open_tenant(self, name: str = "Faults") -> str:
        """Creates a tenant with one item, `mug`, and returns its API key."""
        command = [
            "create_tenant",
            "--name",
            name,
            "--vertical",
            "ecommerce",
            "--region",
            "eu",
            "--plan",
            "enterprise",
        ]
        completed = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *command],
            env=self.environment, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert completed.returncode == 0, completed.stderr
        key = re.search(r"lep_\S+", completed.stdout)
        assert key is not None
        self.send(key[0], "items/batch", {"items": [{"id": "mug", "title": "Mug"}]})
        return key[0]

    def send(self, key: str, path: str, body: Any) -> Any:
        """Raises OSError without a 2xx response."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=15) as response:
            return json.load(response)

    def execute_sql(
        self, statement: str, *params: object, database: str = "lepton_data_eu"
    ) -> list[tuple[Any, ...]]:
        """Returns rows as the superuser of the cluster, to whom row policies do not apply."""
        secrets = json.loads((self.home / "supervisor.json").read_text())
        with psycopg.connect(
            host="127.0.0.1", port=secrets["postgres_port"], user="lepton_superuser",
            password=secrets["superuser_password"], dbname=database, autocommit=True,
        ) as connection:  # fmt: skip
            cursor = connection.execute(statement, params)
            return cursor.fetchall() if cursor.description else []

    def count_stored_events(self) -> int:
        return int(self.execute_sql("SELECT coalesce(sum(count), 0) FROM data_timeline")[0][0])

    def count_stored_data(self) -> dict[str, int]:
        """Returns the counts of tests/faults/stored_counts.py after all timelines are merged."""
        return dict(json.loads(self.run_python("from tests.faults.stored_counts import main; main('eu')")))

    def run_python(self, code: str) -> str:
        """Runs code with the settings of this platform and returns the last line that it prints."""
        completed = subprocess.run(
            [sys.executable, "-c", f"import django; django.setup(); {code}"],
            cwd=ROOT, check=False, capture_output=True, text=True,
            env={**self.environment, "DJANGO_SETTINGS_MODULE": "lepton_platform.settings"},
        )  # fmt: skip
        assert completed.returncode == 0, completed.stderr
        return completed.stdout.splitlines()[-1] if completed.stdout else ""


def kill_with_children(process: psutil.Process) -> None:
    """Kills all processes at once, as a power loss does: no child has time to finish."""
    family = [process, *process.children(recursive=True)]
    for child in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


class EventSender:
    """Sends batches one after the other; each is repeated until it is acknowledged."""

    def __init__(self, platform: Platform, key: str) -> None:
        self._platform, self._key = platform, key
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._started_at = time.time() - 86_400
        self.n_acknowledged_batches = 0
        self.n_refused_batches = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def wait_for_more(self, count: int = 5, seconds: float = 120) -> None:
        target = self.n_acknowledged_batches + count
        wait_until(lambda: self.n_acknowledged_batches >= target, seconds, "the client is served again")

    def _run(self) -> None:
        while not self._stopped.is_set():
            batch = self._make_batch(self.n_acknowledged_batches)
            while not self._is_acknowledged(batch):
                self.n_refused_batches += 1
                time.sleep(0.2)
            self.n_acknowledged_batches += 1

    def _is_acknowledged(self, batch: list[dict[str, Any]]) -> bool:
        try:
            response = self._platform.send(self._key, "events", {"events": batch})
        except OSError:
            return False
        return not response["rejected"]

    def _make_batch(self, number: int) -> list[dict[str, Any]]:
        """The last five events repeat those of an earlier batch of the same profile."""
        new = [self._make_event(number, position) for position in range(NEW_EVENTS_PER_BATCH)]
        repeated = range(EVENTS_PER_BATCH - NEW_EVENTS_PER_BATCH) if number >= PROFILES else ()
        return [*new, *(self._make_event(number - PROFILES, position) for position in repeated)]

    def _make_event(self, number: int, position: int) -> dict[str, Any]:
        seconds = self._started_at + number + position / 100
        at = datetime.fromtimestamp(seconds, UTC).isoformat()
        return {
            "profile_id": f"p{number % PROFILES}", "item_id": "mug", "kind": "view", "at": at, "id": f"{number}-{position}"
        }  # fmt: skip

    @property
    def acknowledged_events(self) -> int:
        """Distinct events that were acknowledged."""
        return self.n_acknowledged_batches * NEW_EVENTS_PER_BATCH
