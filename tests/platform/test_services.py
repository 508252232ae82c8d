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
def instance(home):
    """One installation for all tests that do not stop it. Engines that a test kills are restarted."""
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


def test_both_services_accept_the_settings_in_the_file(instance, home):
    stored_settings = json.loads((home / "services.json").read_text())
    assert stored_settings == instance.environment
    assert select_one(stored_settings) == 1
    with redis.Redis.from_url(stored_settings["BROKER_URL"]) as broker:
        assert broker.ping()


def test_secret_files_are_readable_only_by_their_owner(instance, home):
    modes = {
        name: stat.S_IMODE((home / name).stat().st_mode) for name in ("services.json", "supervisor.json")
    }
    assert modes == {"services.json": 0o600, "supervisor.json": 0o600}


def test_a_connection_without_a_password_is_refused(instance):
    assert instance.postgres is not None
    address = f"postgresql://lepton_app@127.0.0.1:{instance.postgres.port}/lepton_control"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(address)
    with redis.Redis(port=instance.valkey.port) as anonymous, pytest.raises(redis.AuthenticationError):
        anonymous.ping()


def test_no_password_is_on_a_command_line(instance, home):
    secrets = json.loads((home / "supervisor.json").read_text())
    lines = subprocess.run(
        ["/bin/ps", "axww", "-o", "args"], capture_output=True, text=True, check=True
    ).stdout
    assert not [name for name, value in secrets.items() if name.endswith("password") and value in lines]


def test_the_application_can_neither_create_nor_see_statements(instance):
    with psycopg.connect(instance.environment["DATABASE_URL_DATA_EU"], autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE t ()")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TEMP TABLE t ()")
        assert connection.execute("SHOW track_activities").fetchone() == ("off",)


def test_a_second_process_attaches_to_the_running_services(instance, home):
    second = ensure_services(home)
    assert (second.is_owned, second.environment) == (False, instance.environment)
    second.stop()
    assert select_one(instance.environment) == 1


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_killed_engine_restarts_with_its_committed_data(instance, name):
    with redis.Redis.from_url(instance.environment["BROKER_URL"]) as broker:
        broker.set("stored", "1")
        broker.execute_command("WAITAOF", 1, 0, 2000)
    os.kill(instance.processes[name].pid, signal.SIGKILL)
    instance.processes[name].wait()
    assert instance.restart_dead() == [name]
    assert select_one(instance.environment) == 1
    with redis.Redis.from_url(instance.environment["BROKER_URL"]) as broker:
        assert broker.get("stored") == b"1"


def test_a_new_supervisor_takes_over_after_the_previous_one_was_killed(other_home):
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
