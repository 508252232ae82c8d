"""Command lines of the processes of one machine: web server, Celery worker and beat."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from lepton_platform.embedded.ports import find_free_port
from lepton_platform.embedded.supervisor import Program

DEFAULT_PORT = 8000


def choose_base_url(environ: Mapping[str, str], *, previous_url: str = "") -> str:
    """LEPTON_BASE_URL, or a loopback address: the port of the previous run or 8000 if it is free, else any free port."""
    configured_url = environ.get("LEPTON_BASE_URL")
    if configured_url:
        return configured_url
    port = find_free_port(urlsplit(previous_url).port or DEFAULT_PORT)
    return f"http://127.0.0.1:{port}"


def build_environment(environ: Mapping[str, str], *, home: Path, url: str) -> dict[str, str]:
    """The environment of every child process: the settings of `environ` with the default role `app`."""
    # LEPTON_ROLE is this command's own; MAKE* variables of `make run` would reach a make that a child starts.
    removed = {"LEPTON_ROLE", "MAKEFLAGS", "MAKELEVEL"}
    inherited = {name: value for name, value in environ.items() if name not in removed}
    return {
        **inherited,
        "LEPTON_HOME": str(home),
        "LEPTON_BASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "lepton_platform.settings",
        "PYTHONUNBUFFERED": "1",
    }


def build_web_program(environment: Mapping[str, str], *, url: str) -> Program:
    """The web server (granian).

    It uses processes rather than threads, because requests are CPU-bound and the GIL serialises threads.
    OMP_NUM_THREADS is 1, because concurrent requests already use all cores.
    """
    parts = urlsplit(url)
    default_port = 443 if parts.scheme == "https" else 80
    bind = environment.get("LEPTON_BIND") or f"{parts.hostname}:{parts.port or default_port}"
    host, _colon, port = bind.rpartition(":")
    workers = environment.get("LEPTON_WEB_WORKERS") or str(max(2, min(8, os.cpu_count() or 2)))
    argv = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", port,
        "--workers", workers, "--blocking-threads", environment.get("LEPTON_WEB_THREADS") or "1",
        "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "10", "--log-level", "warning",
        "lepton_platform.wsgi:application",
    ]  # fmt: skip
    return Program("web", argv, {**environment, "OMP_NUM_THREADS": "1", "LEPTON_PROCESS": "web"})


def build_worker_program(environment: Mapping[str, str]) -> Program:
    """The Celery worker, with LEPTON_WORKER_PROCESSES (default 2) pool processes."""
    argv = [
        *_build_celery_command(), "worker", "--pool", "prefork", "--concurrency", environment.get("LEPTON_WORKER_PROCESSES") or "2",
        "--without-gossip", "--without-mingle", "--loglevel", "INFO", "--hostname", "worker@%h",
    ]  # fmt: skip
    return Program("worker", argv, {**environment, "LEPTON_PROCESS": "worker"}, stop_timeout_seconds=20.0)


def build_beat_program(environment: Mapping[str, str]) -> Program:
    """Celery beat, which sends the scheduled tasks."""
    return Program(
        "beat",
        [*_build_celery_command(), "beat", "--loglevel", "INFO"],
        {**environment, "LEPTON_PROCESS": "beat"},
    )


def _build_celery_command() -> list[str]:
    return [sys.executable, "-m", "celery", "--app", "lepton_platform.celery:app", "--skip-checks"]
