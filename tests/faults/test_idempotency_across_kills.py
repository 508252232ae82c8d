"""POSTs sent three times while the web server is killed repeatedly: one effect each, and identical responses."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from lepton_platform.embedded.supervisor import STABLE_AFTER_SECONDS
from tests.faults.platform import Platform, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
SENDERS = 4
# The address, the body of the n-th request, and where its effect is counted.
KINDS: tuple[tuple[str, Callable[[int], Any], str], ...] = (
    (
        "events",
        lambda _: {"events": [{"profile_id": "ann", "item_id": "mug", "kind": "view"}]},
        "SELECT coalesce(sum(count), 0) FROM data_timeline",
    ),
    ("recommendations", lambda _: {"k": 1}, "SELECT count(*) FROM data_receipt"),
    (
        "items/batch",
        lambda number: {"items": [{"id": f"mug-{number}", "title": "Mug"}]},
        "SELECT count(*) - 1 FROM data_auditentry WHERE verb = 'items.upsert'",
    ),
)


class PostSender:
    """Sends every POST three times, each until it is answered. `n_cut_off` counts requests without a response."""

    def __init__(self, platform: Platform, key: str) -> None:
        self._at, self._key = urlsplit(platform.url).netloc, key
        self._lock = threading.Lock()
        self.n_answered, self.n_cut_off = 0, 0

    def send_thrice(self, number: int) -> list[tuple[int, bytes]]:
        responses = [self._send_until_answered(number) for _ in range(3)]
        with self._lock:
            self.n_answered += 1
        return responses

    def _send_until_answered(self, number: int) -> tuple[int, bytes]:
        while True:
            try:
                status, content = self._send(number)
            except ConnectionRefusedError:
                time.sleep(0.05)
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self.n_cut_off += 1
            else:
                if status not in (409, 429, 503):
                    return status, content
                time.sleep(0.05)

    def _send(self, number: int) -> tuple[int, bytes]:
        path, body, _effect = KINDS[number % len(KINDS)]
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"key-{number}",
        }
        connection = http.client.HTTPConnection(self._at, timeout=30)
        try:
            connection.request("POST", f"/api/v1/{path}", json.dumps(body(number)), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@pytest.fixture
def platform() -> Iterator[Platform]:
    with tempfile.TemporaryDirectory(prefix="lepton-faults-") as folder:
        running = Platform(Path(folder))
        running.start()
        yield running
        running.stop()


def kill_web(platform: Platform) -> float:
    """Kills the server and its processes at once. Waits for the restart and returns its time."""
    server = platform.get_child_processes()["web"]
    for process in [*psutil.Process(server.pid).children(recursive=True), server]:
        process.kill()
    wait_until(
        lambda: platform.get_child_processes().get("web", server).pid != server.pid, 60, "web runs again"
    )
    return time.monotonic()


def send_across_kills(
    platform: Platform, sender: PostSender, count: int, kills: int
) -> list[list[tuple[int, bytes]]]:
    """Kills once amid every portion of the POSTs. Between kills the server runs until the supervisor counts it as stable."""
    responses, running_since = [], time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        for portion in range(kills):
            numbers = range(count * portion // kills, count * (portion + 1) // kills)
            time.sleep(max(0.0, running_since + STABLE_AFTER_SECONDS + 1 - time.monotonic()))
            pending = [pool.submit(sender.send_thrice, number) for number in numbers]
            half = numbers.start + len(numbers) // 2
            wait_until(lambda half=half: sender.n_answered >= half, 120, "POSTs are answered")
            running_since = kill_web(platform)
            responses += [future.result(300) for future in pending]
    return responses


@pytest.mark.proof(row=14)
def test_posts_sent_three_times_across_kills_have_one_effect_each(
    platform: Platform, scale: Any, figure: Any
) -> None:
    sender, count, kills = PostSender(platform, platform.open_tenant()), scale(120, 1_000), scale(3, 12)
    responses = send_across_kills(platform, sender, count, kills)
    expected = Counter(number % len(KINDS) for number in range(count))
    n_effects = {kind: platform.execute_sql(KINDS[kind][2])[0][0] for kind in expected}
    n_wrong_effects = sum(abs(n_effects[kind] - posts) for kind, posts in expected.items())
    refused = [
        response for responses_of_post in responses for response in responses_of_post if response[0] >= 300
    ]
    n_differing = sum(len(set(responses_of_post)) > 1 for responses_of_post in responses)
    cut_off_label = f"requests cut off by {kills} kills of the web server"
    assert figure(cut_off_label, sender.n_cut_off, of=3 * count, passes=sender.n_cut_off > 0)
    assert figure(
        "effects too many or too few across kills", n_wrong_effects, of=count, passes=n_wrong_effects == 0
    ), n_effects
    assert figure("POSTs that were refused across kills", len(refused), of=3 * count, passes=not refused), (
        refused[:3]
    )
    assert figure(
        "POSTs whose three answers differ across kills", n_differing, of=count, passes=n_differing == 0
    )
