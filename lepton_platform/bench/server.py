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

from lepton_platform.embedded import programs
from lepton_platform.embedded.home import Home, read_json
from lepton_platform.env import BASE_DIR

START_SECONDS = 60.0


@contextmanager
def server() -> Iterator[str]:
    """The base URL of what runs on this LEPTON_HOME; else web server, worker and beat are started and ended."""
    running = read_json(Home(settings.LEPTON_HOME).run_file).get("base_url", "")
    if running and answers(running):
        yield running
        return
    url = programs.base_url(os.environ)
    children = programs.environment(os.environ, home=settings.LEPTON_HOME, url=url)
    subprocess.run([sys.executable, str(BASE_DIR / "manage.py"), "migrate_all"], check=True, env=children)
    with ExitStack() as stack:
        started = []
        for program in (programs.web(children, url=url), programs.worker(children), programs.beat(children)):
            started.append(subprocess.Popen(program.argv, env=dict(program.environment), cwd=BASE_DIR))
            stack.callback(_end, started[-1])
        _wait(url, started)
        yield url


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait(url: str, started: list[subprocess.Popen[bytes]]) -> None:
    """An answer counts only while all of ours live: another server may have taken the port."""
    deadline = time.monotonic() + START_SECONDS
    while not answers(url):
        if time.monotonic() > deadline:
            raise RuntimeError(f"The web server does not answer at {url}.")
        time.sleep(0.2)
    time.sleep(1.0)
    if any(child.poll() is not None for child in started):
        raise RuntimeError(f"A process ended at its start; is {url} taken? Set LEPTON_BASE_URL.")


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
