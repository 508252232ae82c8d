"""A whole platform of its own, as `make run` starts it, and a client that never stops sending."""

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
from pathlib import Path
from typing import Any

import psutil
import psycopg

from lepton_platform.embedded.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
EVENTS_IN_A_BATCH = 20


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


class Platform:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{free_port()}"
        outside = {name: value for name, value in os.environ.items() if not name.startswith("LEPTON_")}
        self.environment = {**outside, "LEPTON_HOME": str(home), "LEPTON_BASE_URL": self.url}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.home / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "up", "--no-demo"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self.is_ready, 180, f"ready; {self.home}/up.log")

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.home / "up.log").read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
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

    def children(self) -> dict[str, psutil.Process]:
        """Direct children of the supervisor by what they are."""
        assert self.process is not None
        marks = {
            "postgres": "postgres",
            "valkey": "valkey",
            "web": "granian",
            "worker": "worker",
            "beat": "beat",
        }
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                line = " ".join(child.cmdline())
                found |= {name: child for name, mark in marks.items() if mark in line and name not in found}
        return found

    def open_tenant(self) -> str:
        """An API key of a new tenant that has one item, `mug`."""
        command = [
            "create_tenant",
            "--name",
            "Faults",
            "--vertical",
            "ecommerce",
            "--region",
            "eu",
            "--plan",
            "enterprise",
        ]
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *command],
            env=self.environment, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        key = re.search(r"lep_\S+", done.stdout)
        assert key is not None
        self.send(key[0], "items/batch", {"items": [{"id": "mug", "title": "Mug"}]})
        return key[0]

    def send(self, key: str, path: str, body: Any) -> Any:
        """Raises OSError when there is no good answer."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)

    def stored_events(self) -> int:
        return self.counted("SELECT coalesce(sum(count), 0) FROM data_timeline")

    def counted(self, question: str) -> int:
        """A number out of the data database, past the policies."""
        secrets = json.loads((self.home / "supervisor.json").read_text())
        with psycopg.connect(
            host="127.0.0.1", port=secrets["postgres_port"], user="lepton_superuser",
            password=secrets["superuser_password"], dbname="lepton_data_eu",
        ) as connection:  # fmt: skip
            row = connection.execute(question.encode()).fetchone()
            assert row is not None
            return int(row[0])


class Sender:
    """Sends batches one after the other; each is repeated until it is acknowledged."""

    def __init__(self, platform: Platform, key: str) -> None:
        self._platform, self._key = platform, key
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged = 0
        self.refused = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def wait_for_more(self, count: int = 5, seconds: float = 120) -> None:
        wanted = self.acknowledged + count
        until(lambda: self.acknowledged >= wanted, seconds, "the client is served again")

    def _run(self) -> None:
        while not self._stopped.is_set():
            batch = self._batch(self.acknowledged)
            while not self._is_acknowledged(batch):
                self.refused += 1
                time.sleep(0.2)
            self.acknowledged += 1

    def _is_acknowledged(self, batch: list[dict[str, Any]]) -> bool:
        try:
            answer = self._platform.send(self._key, "events", {"events": batch})
        except OSError:
            return False
        return not answer["rejected"]

    def _batch(self, number: int) -> list[dict[str, Any]]:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return [
            {"profile_id": f"p{number}", "item_id": "mug", "kind": "view", "at": at, "id": f"{number}-{i}"}
            for i in range(EVENTS_IN_A_BATCH)
        ]
