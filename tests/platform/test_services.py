"""The embedded PostgreSQL and Valkey: start, stop, attach and restart."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import redis

from lepton_platform.embedded.services import ensure_services

ROOT = Path(__file__).resolve().parents[2]
STABLE_SETTINGS = (
    "LEPTON_SECRET_KEY",
    "LEPTON_KEY_PEPPER",
    "LEPTON_SCOPE_KEY_CONTROL",
    "LEPTON_SCOPE_KEY_EU",
)
HOLDER = """
import sys, time
from pathlib import Path
from lepton_platform.embedded.services import ensure_services
services = ensure_services(Path(sys.argv[1]))
print("running", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def home():
    with tempfile.TemporaryDirectory(prefix="lepton-services-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def own(home):
    """One start for the tests that do not stop it; engines that they kill come back."""
    running = ensure_services(home)
    yield running
    running.stop()


@pytest.fixture
def other_home():
    with tempfile.TemporaryDirectory(prefix="lepton-services-") as folder:
        yield Path(folder)


def select_one(environment: dict[str, str]) -> int:
    with psycopg.connect(environment["DATABASE_URL_DATA_EU"]) as connection:
        return connection.execute("SELECT 1").fetchone()[0]


def test_both_answer_with_the_settings_they_wrote(own, home):
    written = json.loads((home / "services.json").read_text())
    assert written == own.environment
    assert select_one(written) == 1
    with redis.Redis.from_url(written["BROKER_URL"]) as broker:
        assert broker.ping()


def test_secrets_are_readable_by_their_owner_alone(own, home):
    modes = {
        name: stat.S_IMODE((home / name).stat().st_mode) for name in ("services.json", "supervisor.json")
    }
    assert modes == {"services.json": 0o600, "supervisor.json": 0o600}


def test_no_password_no_entry(own):
    assert own.postgres is not None
    address = f"postgresql://lepton_app@127.0.0.1:{own.postgres.port}/lepton_control"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(address)
    with redis.Redis(port=own.valkey.port) as anonymous, pytest.raises(redis.AuthenticationError):
        anonymous.ping()


def test_no_password_is_on_a_command_line(own, home):
    secrets = json.loads((home / "supervisor.json").read_text())
    lines = subprocess.run(
        ["/bin/ps", "axww", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert not [name for name, value in secrets.items() if name.endswith("password") and value in lines]


def test_the_application_can_neither_create_nor_see_statements(own):
    with psycopg.connect(own.environment["DATABASE_URL_DATA_EU"], autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE t ()")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TEMP TABLE t ()")
        assert connection.execute("SHOW track_activities").fetchone() == ("off",)


def test_a_second_process_attaches(own, home):
    other = ensure_services(home)
    assert (other.is_owned, other.environment) == (False, own.environment)
    other.stop()
    assert select_one(own.environment) == 1


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_killed_engine_comes_back_with_what_was_committed(own, name):
    with redis.Redis.from_url(own.environment["BROKER_URL"]) as broker:
        broker.set("stored", "1")
        broker.execute_command("WAITAOF", 1, 0, 2000)
    os.kill(own.processes[name].pid, signal.SIGKILL)
    own.processes[name].wait()
    assert own.restart_dead() == [name]
    assert select_one(own.environment) == 1
    with redis.Redis.from_url(own.environment["BROKER_URL"]) as broker:
        assert broker.get("stored") == b"1"


def test_after_the_supervisor_is_killed_the_next_one_takes_over(other_home):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(other_home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "running\n"
    before = json.loads((other_home / "services.json").read_text())
    holder.kill()
    holder.wait()
    holder.stdout.close()
    successor = ensure_services(other_home)
    pids = [child.pid for child in successor.processes.values()]
    try:
        assert (successor.is_owned, select_one(successor.environment)) == (True, 1)
        assert {name: successor.environment[name] for name in STABLE_SETTINGS} == {
            name: before[name] for name in STABLE_SETTINGS
        }
    finally:
        successor.stop()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
