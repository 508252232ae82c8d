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

from lepton_platform.embedded import databases, instance_state, postgres, valkey
from lepton_platform.embedded.errors import ServiceError
from lepton_platform.embedded.instance_directory import InstanceDirectory, read_json, write_private_json
from lepton_platform.embedded.postgres import PostgresServer
from lepton_platform.embedded.processes import terminate_engines, terminate_orphans, terminate_process
from lepton_platform.embedded.service_account import get_service_account
from lepton_platform.embedded.valkey import ValkeyServer

DEFAULT_REGIONS = ("cn", "eu", "us")
StatusCallback = Callable[[str], None]


@dataclass(slots=True, repr=False)
class EmbeddedServices:
    """Running services. `owned` is false when another process of the same `$LEPTON_HOME` started them."""

    home: InstanceDirectory
    environment: dict[str, str]
    postgres: PostgresServer | None = None
    valkey: ValkeyServer | None = None
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lock_descriptor: int = -1

    @property
    def is_owned(self) -> bool:
        return self.lock_descriptor >= 0

    def restart_dead(self) -> list[str]:
        """Starts again what died, on the same port; returns the names. Raises ServiceFailed."""
        dead = [name for name, child in self.processes.items() if child.poll() is not None]
        for name in dead:
            engine = self.postgres if name == "postgres" else self.valkey
            if engine is not None:
                self.processes[name] = engine.start()
        return dead

    def stop(self) -> None:
        """Ends what this process started; nothing for services of another process."""
        if "valkey" in self.processes:
            terminate_process(self.processes.pop("valkey"), signal.SIGTERM, timeout_seconds=10)
        if "postgres" in self.processes:
            terminate_process(self.processes.pop("postgres"), signal.SIGINT, timeout_seconds=30)
        if self.is_owned:
            os.close(self.lock_descriptor)
            self.lock_descriptor = -1


def ensure_services(
    home: Path, *, regions: Sequence[str] = DEFAULT_REGIONS, report: StatusCallback = lambda _line: None
) -> EmbeddedServices:
    """Attaches to the running services of `home`, or ends a killed supervisor's orphans and starts them.

    Call from a thread that lives as long as the services: they end with it. Raises ServiceFailed.
    """
    place = InstanceDirectory(home.resolve())
    place.create_directories()
    lock = _acquire_lock(place)
    if lock is None:
        return _attach_services(place)
    try:
        return _start_services(place, lock, regions=regions, report=report)
    except BaseException:
        os.close(lock)
        raise


def _acquire_lock(home: InstanceDirectory) -> int | None:
    """A lock that the kernel lets go when its holder dies; None while another process holds it."""
    descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _attach_services(home: InstanceDirectory, timeout_seconds: float = 60.0) -> EmbeddedServices:
    """Waits until the other process has written its settings, which it removes before it starts."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if environment := read_json(home.services_file):
            return EmbeddedServices(home, environment)
        time.sleep(0.1)
    raise ServiceError(f"Another process holds {home.lock_file} but its services do not answer.")


def _start_services(
    home: InstanceDirectory, lock: int, *, regions: Sequence[str], report: StatusCallback
) -> EmbeddedServices:
    home.services_file.unlink(missing_ok=True)
    if ended := terminate_orphans(home.path) + terminate_engines((home.postgres / "data", home.valkey)):
        report(f"ended {ended} processes of an interrupted run")
    kept = instance_state.load_state(home, regions)
    account = get_service_account()
    server = PostgresServer(
        home,
        account,
        postgres.find_usable_binaries(home, account),
        kept.postgres_port,
        kept.superuser_password,
    )
    cache = ValkeyServer(
        home, account, valkey.find_usable_binary(home, account), kept.valkey_port, kept.valkey_password
    )
    services = EmbeddedServices(home, {}, server, cache, lock_descriptor=lock)
    try:
        report("starting PostgreSQL")
        server.prepare()
        services.processes["postgres"] = server.start()
        report("starting Valkey")
        cache.prepare()
        services.processes["valkey"] = cache.start()
        databases.prepare_databases(
            server,
            list(databases.build_database_names(regions).values()),
            {databases.MIGRATOR: kept.migrator_password, databases.APPLICATION: kept.application_password},
        )
        instance_state.prepare_region_folders(home, regions)
    except BaseException:
        services.lock_descriptor = -1
        services.stop()
        raise
    services.environment = instance_state.build_environment(
        home, kept, regions, broker_url=cache.build_url(0)
    )
    write_private_json(home.services_file, services.environment)
    return services
