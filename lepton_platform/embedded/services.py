"""`ensure_services`: the private PostgreSQL and Valkey of one `$LEPTON_HOME`, running."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lepton_platform.embedded import databases, postgres, state, valkey
from lepton_platform.embedded.account import service_account
from lepton_platform.embedded.errors import ServiceFailed
from lepton_platform.embedded.home import Home, read_json, write_private_json
from lepton_platform.embedded.postgres import Postgres
from lepton_platform.embedded.processes import end, end_engines, end_orphans
from lepton_platform.embedded.valkey import Valkey

DEFAULT_REGIONS = ("cn", "eu", "us")
Report = Callable[[str], None]


@dataclass(slots=True, repr=False)
class Services:
    """Running services. `owned` is false when another process of the same `$LEPTON_HOME` started them."""

    home: Home
    environment: dict[str, str]
    postgres: Postgres | None = None
    valkey: Valkey | None = None
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lock: int = -1

    @property
    def owned(self) -> bool:
        return self.lock >= 0

    def restart_dead(self) -> list[str]:
        """Starts again what died, on the same port; returns the names. Raises ServiceFailed."""
        dead = [name for name, child in self.children.items() if child.poll() is not None]
        for name in dead:
            engine = self.postgres if name == "postgres" else self.valkey
            if engine is not None:
                self.children[name] = engine.start()
        return dead

    def stop(self) -> None:
        """Ends what this process started; nothing for services of another process."""
        if "valkey" in self.children:
            end(self.children.pop("valkey"), signal.SIGTERM, patience_seconds=10)
        if "postgres" in self.children:
            end(self.children.pop("postgres"), signal.SIGINT, patience_seconds=30)
        if self.owned:
            os.close(self.lock)
            self.lock = -1


def ensure_services(
    home: Path, *, regions: Sequence[str] = DEFAULT_REGIONS, report: Report = lambda _line: None
) -> Services:
    """Attaches to the running services of `home`, or ends a killed supervisor's orphans and starts them.

    Call from a thread that lives as long as the services: they end with it. Raises ServiceFailed.
    """
    place = Home(home.resolve())
    place.prepare()
    lock = _take_lock(place)
    if lock is None:
        return _attach(place)
    try:
        return _start(place, lock, regions=regions, report=report)
    except BaseException:
        os.close(lock)
        raise


def _take_lock(home: Home) -> int | None:
    """A lock that the kernel lets go when its holder dies; None while another process holds it."""
    descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _attach(home: Home, patience_seconds: float = 60.0) -> Services:
    """Waits until the other process has written its settings, which it removes before it starts."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        if environment := read_json(home.services_file):
            return Services(home, environment)
        time.sleep(0.1)
    raise ServiceFailed(f"Another process holds {home.lock_file} but its services do not answer.")


def _start(home: Home, lock: int, *, regions: Sequence[str], report: Report) -> Services:
    home.services_file.unlink(missing_ok=True)
    if ended := end_orphans(home.path) + end_engines((home.postgres / "data", home.valkey)):
        report(f"ended {ended} processes of an interrupted run")
    kept = state.load(home, regions)
    account = service_account()
    server = Postgres(
        home, account, postgres.usable_binaries(home, account), kept.postgres_port, kept.superuser_password
    )
    cache = Valkey(home, account, valkey.usable_binary(home, account), kept.valkey_port, kept.valkey_password)
    services = Services(home, {}, server, cache, lock=lock)
    try:
        report("starting PostgreSQL")
        server.prepare()
        services.children["postgres"] = server.start()
        report("starting Valkey")
        cache.prepare()
        services.children["valkey"] = cache.start()
        databases.prepare(
            server,
            list(databases.names(regions).values()),
            {databases.MIGRATOR: kept.migrator_password, databases.APPLICATION: kept.application_password},
        )
        state.prepare_region_folders(home, regions)
    except BaseException:
        services.lock = -1
        services.stop()
        raise
    services.environment = state.environment(home, kept, regions, broker_url=cache.url(0))
    write_private_json(home.services_file, services.environment)
    return services
