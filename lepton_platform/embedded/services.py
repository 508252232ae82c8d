"""`ensure_services`: the embedded PostgreSQL and Valkey of one `$LEPTON_HOME`, running."""

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
from lepton_platform.embedded.instance_state import InstanceState
from lepton_platform.embedded.postgres import PostgresServer
from lepton_platform.embedded.processes import terminate_engines, terminate_orphans, terminate_process
from lepton_platform.embedded.service_account import get_service_account
from lepton_platform.embedded.valkey import ValkeyServer

DEFAULT_REGIONS = ("cn", "eu", "us")
StatusCallback = Callable[[str], None]


@dataclass(slots=True, repr=False)
class EmbeddedServices:
    """Running services and the settings that reach them (`environment`).

    `is_owned` is false when another process of the same `$LEPTON_HOME` started them; `processes` is then empty.
    """

    home: InstanceDirectory
    environment: dict[str, str]
    postgres: PostgresServer | None = None
    valkey: ValkeyServer | None = None
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lock_descriptor: int = -1

    @property
    def is_owned(self) -> bool:
        """Whether this process started the services and holds the lock."""
        return self.lock_descriptor >= 0

    def restart_dead(self) -> list[str]:
        """Restarts engines that exited, on the same ports; returns their names. Raises ServiceError."""
        dead = [name for name, process in self.processes.items() if process.poll() is not None]
        for name in dead:
            engine = self.postgres if name == "postgres" else self.valkey
            if engine is not None:
                self.processes[name] = engine.start()
        return dead

    def stop(self) -> None:
        """Stops what this process started and releases the lock; does nothing for services of another process."""
        if "valkey" in self.processes:
            terminate_process(self.processes.pop("valkey"), signal.SIGTERM, timeout_seconds=10)
        if "postgres" in self.processes:
            # SIGINT is PostgreSQL's fast shutdown: it aborts open transactions instead of waiting for clients.
            terminate_process(self.processes.pop("postgres"), signal.SIGINT, timeout_seconds=30)
        if self.is_owned:
            os.close(self.lock_descriptor)
            self.lock_descriptor = -1


def ensure_services(
    home: Path, *, regions: Sequence[str] = DEFAULT_REGIONS, report: StatusCallback = lambda _line: None
) -> EmbeddedServices:
    """Attaches to the running services of `home`; if there are none, stops orphaned engines and starts new ones.

    Call from a thread that lives as long as the services: Linux ends child processes with the thread that started
    them (parent-death signal).

    Args:
        home: the instance's `$LEPTON_HOME`.
        regions: codes of the regions that get data and keys databases.
        report: receives one line for each step.

    Raises:
        ServiceError: an engine does not start.
    """
    directory = InstanceDirectory(home.resolve())
    directory.create_directories()
    lock = _acquire_lock(directory)
    if lock is None:
        return _attach_services(directory)
    try:
        return _start_services(directory, lock, regions=regions, report=report)
    except BaseException:
        os.close(lock)
        raise


def _acquire_lock(home: InstanceDirectory) -> int | None:
    """The descriptor of the locked file, or None while another process holds the lock.

    The kernel releases the lock when its holder dies, so a killed supervisor leaves no stale lock.
    """
    descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _attach_services(home: InstanceDirectory, timeout_seconds: float = 60.0) -> EmbeddedServices:
    """Waits for `services.json`, which the owner removes before it starts the engines and writes afterwards."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        environment = read_json(home.services_file)
        if environment:
            return EmbeddedServices(home, environment)
        time.sleep(0.1)
    raise ServiceError(f"Another process holds {home.lock_file} but its services do not answer.")


def _start_services(
    home: InstanceDirectory,
    lock: int,
    *,
    regions: Sequence[str],
    report: StatusCallback,
) -> EmbeddedServices:
    # Others must not attach to services that are being replaced.
    home.services_file.unlink(missing_ok=True)
    n_orphans = terminate_orphans(home.path) + terminate_engines((home.postgres / "data", home.valkey))
    if n_orphans:
        report(f"ended {n_orphans} processes of an interrupted run")
    state = instance_state.load_state(home, regions)
    account = get_service_account()
    server = PostgresServer(
        home=home,
        account=account,
        binaries=postgres.find_usable_binaries(home, account),
        port=state.postgres_port,
        password=state.superuser_password,
    )
    cache = ValkeyServer(
        home=home,
        account=account,
        binary=valkey.find_usable_binary(home, account),
        port=state.valkey_port,
        password=state.valkey_password,
    )
    services = EmbeddedServices(home, {}, server, cache, lock_descriptor=lock)
    try:
        _start_engines(services, server, cache, report)
        _prepare_databases(server, state, regions)
        instance_state.prepare_region_folders(home, regions)
    except BaseException:
        # The caller closes the lock.
        services.lock_descriptor = -1
        services.stop()
        raise
    services.environment = instance_state.build_environment(
        home,
        state,
        regions,
        broker_url=cache.build_url(0),
    )
    write_private_json(home.services_file, services.environment)
    return services


def _start_engines(
    services: EmbeddedServices,
    server: PostgresServer,
    cache: ValkeyServer,
    report: StatusCallback,
) -> None:
    report("starting PostgreSQL")
    server.prepare()
    services.processes["postgres"] = server.start()
    report("starting Valkey")
    cache.prepare()
    services.processes["valkey"] = cache.start()


def _prepare_databases(server: PostgresServer, state: InstanceState, regions: Sequence[str]) -> None:
    passwords = {
        databases.MIGRATOR: state.migrator_password,
        databases.APPLICATION: state.application_password,
    }
    names = list(databases.build_database_names(regions).values())
    databases.prepare_databases(server, names, passwords)
