"""The running platform, or one of our own for the length of a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings

from lepton_platform.embedded import process_commands
from lepton_platform.embedded.instance_directory import InstanceDirectory, read_json
from lepton_platform.env import BASE_DIR

START_SECONDS = 60.0


@contextmanager
def ensure_server() -> Iterator[str]:
    """The base URL of what runs on this LEPTON_HOME; else web server, worker and beat are started and ended."""
    running = read_json(InstanceDirectory(settings.LEPTON_HOME).run_file).get("base_url", "")
    if running and is_ready(running):
        yield running
        return
    url = process_commands.choose_base_url(os.environ)
    children = process_commands.build_environment(os.environ, home=settings.LEPTON_HOME, url=url)
    subprocess.run([sys.executable, str(BASE_DIR / "manage.py"), "migrate_all"], check=True, env=children)
    with ExitStack() as stack:
        started = []
        for program in (
            process_commands.build_web_program(children, url=url),
            process_commands.build_worker_program(children),
            process_commands.build_beat_program(children),
        ):
            started.append(subprocess.Popen(program.argv, env=dict(program.environment), cwd=BASE_DIR))
            stack.callback(_terminate_process, started[-1])
        _wait_until_ready(url, started)
        yield url


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait_until_ready(url: str, processes: list[subprocess.Popen[bytes]]) -> None:
    """An answer counts only while all of ours live: another server may have taken the port."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(url):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The web server does not answer at {url}.")
        time.sleep(0.2)
    time.sleep(1.0)
    if any(child.poll() is not None for child in processes):
        raise RuntimeError(f"A process ended at its start; is {url} taken? Set LEPTON_BASE_URL.")


def _terminate_process(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
