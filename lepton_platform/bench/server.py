"""The running platform of this `$LEPTON_HOME`, or one started for the duration of a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings

from lepton_platform.embedded import process_commands
from lepton_platform.embedded.instance_directory import InstanceDirectory, read_json
from lepton_platform.env import BASE_DIR
from lepton_platform.http_client import is_ready, wait_until_ready

START_TIMEOUT_SECONDS = 60.0


@contextmanager
def ensure_server() -> Iterator[str]:
    """Yields the base URL of the running server; without one, starts web server, worker and beat and ends them.

    Raises:
        RuntimeError: the server does not get ready.
    """
    running_url = read_json(InstanceDirectory(settings.LEPTON_HOME).run_file).get("base_url", "")
    if running_url and is_ready(running_url):
        yield running_url
        return
    url = process_commands.choose_base_url(os.environ)
    environment = process_commands.build_environment(os.environ, home=settings.LEPTON_HOME, url=url)
    subprocess.run([sys.executable, str(BASE_DIR / "manage.py"), "migrate_all"], check=True, env=environment)
    programs = (
        process_commands.build_web_program(environment, url=url),
        process_commands.build_worker_program(environment),
        process_commands.build_beat_program(environment),
    )
    with ExitStack() as stack:
        processes = []
        for program in programs:
            process = subprocess.Popen(program.argv, env=dict(program.environment), cwd=BASE_DIR)
            stack.callback(_terminate_process, process)
            processes.append(process)
        _require_ready(url, processes)
        yield url


def _require_ready(url: str, processes: list[subprocess.Popen[bytes]]) -> None:
    """Raises RuntimeError unless the server answers and all started processes run.

    An answer alone is no proof: another server may have taken the port and ours exited.
    """
    if not wait_until_ready(url, timeout_seconds=START_TIMEOUT_SECONDS):
        raise RuntimeError(f"The web server does not answer at {url}.")
    # A process that can't bind its port needs a moment to exit.
    time.sleep(1.0)
    if any(process.poll() is not None for process in processes):
        raise RuntimeError(f"A process ended at its start; is {url} taken? Set LEPTON_BASE_URL.")


def _terminate_process(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
