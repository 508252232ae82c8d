"""No server, web process or worker of a running platform writes data of a client in plain text."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from lepton_platform.embedded.instance_directory import InstanceDirectory
from lepton_platform.embedded.postgres import find_usable_binaries
from lepton_platform.embedded.service_account import get_service_account
from tests.faults.platform import Platform, wait_until
from tests.isolation.canaries import Canaries, CanarySearch
from tests.isolation.stores import Stores

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stores(platform: Platform) -> Stores:
    home = InstanceDirectory(platform.home)
    return Stores(
        platform.home,
        binaries=find_usable_binaries(home, get_service_account()),
        secrets=json.loads(home.secrets_file.read_text()),
    )


class CanarySender:
    """Sends planted words in every field of the API, in valid and invalid requests."""

    def __init__(self, platform: Platform, key: str) -> None:
        self._platform, self._key = platform, key

    def call(self, method: str, path: str, body: bytes | Any = None, **headers: str) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent_headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json", **headers}
        request = urllib.request.Request(
            f"{self._platform.url}{path}", method=method, data=content, headers=sent_headers
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, None

    def send_valid_requests(self, words: list[str]) -> None:
        items = [
            {
                "id": item_id,
                "title": title,
                "description": text * 40,
                "brand": brand,
                "attributes": {name: value},
            }
            for item_id, title, text, brand, name, value in (
                words[start : start + 6] for start in range(0, 60, 6)
            )
        ]
        assert self.call("POST", "/api/v1/items/batch", {"items": items})[0] == 200
        profile_ids, ids = words[60:80], [item["id"] for item in items]
        for number, profile_id in enumerate(profile_ids):
            profile = {"attributes": {"town": words[80 + number % 10]}, "consent": "granted"}
            assert self.call("PUT", f"/api/v1/profiles/{quote(profile_id)}", profile)[0] in (200, 201)
            events = [
                {"profile_id": profile_id, "item_id": ids[(number + at) % 10], "kind": "view"}
                for at in range(6)
            ]
            assert self.call("POST", "/api/v1/events", {"events": events})[0] == 200
        reviews = [{"item_id": ids[0], "profile_id": profile_ids[0], "title": words[90], "text": words[91]}]
        assert self.call("POST", "/api/v1/reviews", {"reviews": reviews})[0] == 200
        request = {"profile_id": profile_ids[0], "reasons": True, "exclude": [ids[1]]}
        assert self.call("POST", "/api/v1/recommendations", request)[0] == 200
        assert self.call("DELETE", f"/api/v1/profiles/{quote(profile_ids[-1])}")[0] == 200

    def send_invalid_requests(self, words: list[str]) -> list[int]:
        a, b, c, d, e, f = words[92:98]
        calls: list[tuple[str, str, Any]] = [
            ("POST", "/api/v1/items/batch", {"items": [{"id": a, "price": b}]}),
            ("POST", "/api/v1/events", {"events": [{c: d}]}),
            ("POST", "/api/v1/events", {"events": [{"profile_id": a, "item_id": e, "kind": "view"}]}),
            ("POST", "/api/v1/events", b'{"events": [{"profile_id": "' + a.encode() + b'"'),
            ("POST", "/api/v1/recommendations", {"profile_id": a, "filter": {b: {c: d}}}),
            ("POST", f"/api/v1/nothing/{quote(f)}", {a: b}),
            ("GET", f"/api/v1/items/{quote(a)}", None),
            ("GET", f"/api/v1/items/two%20words%20{quote(b)}", None),
            ("GET", f"/api/v1/items/%22{quote(c)}%22%20{quote(d)}", None),
            ("GET", f"/api/v1/items/{quote(e)}%0A{quote(f)}", None),
            ("GET", f"/api/v1/{quote(b)}", None),
            ("GET", f"/api/v2/items/{quote(c)}", None),
            ("GET", f"/api/v1/profiles/it%27s%20{quote(c)}/{quote(d)}", None),
            ("GET", f"/api/v1/items?search={quote(e)}&cursor={quote(f)}&limit={quote(a)}", None),
            ("PATCH", f"/api/v1/items/{quote(b)}", {a: b}),
            ("PUT", f"/api/v1/profiles/{quote('x' * 300 + c)}", {"attributes": {d: {e: f}}}),
        ]
        latin = next(word for word in words if word.isascii())
        return [self.call(*call, **{"Idempotency-Key": latin, "User-Agent": latin})[0] for call in calls]


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture(scope="module")
def sent_words(platform: Platform, canaries: Canaries, request: pytest.FixtureRequest) -> list[str]:
    """Words that were sent in valid and invalid requests; the worker has trained a model on them."""
    full = bool(request.config.getoption("--full"))
    words = canaries.plant(500 if full else 100)
    client = CanarySender(platform, platform.open_tenant())
    for start in range(0, len(words), 100):
        client.send_valid_requests(words[start : start + 100])
        refused = client.send_invalid_requests(words[start : start + 100])
        assert max(refused) < 500, refused
    status, job = client.call("POST", "/api/v1/models/train", {"profile": "fast"})
    assert status == 202
    ended = {"succeeded", "failed"}
    wait_until(
        lambda: client.call("GET", f"/api/v1/jobs/{job['id']}")[1]["state"] in ended, 180, "the training ends"
    )
    return words


@pytest.mark.proof(row=7)
def test_logs_files_dumps_and_memory_of_a_running_platform_contain_no_planted_word(
    platform: Platform, stores: Stores, canaries: Canaries, sent_words: list[str], figure: Callable[..., bool]
) -> None:
    (control,) = [word for word in canaries.plant(2) if word.isascii()]
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"{platform.url}/nowhere/{control}", timeout=10)
    search, logs = CanarySearch([*sent_words, control]), [*stores.iter_folder("logs")]
    expected = {
        "logs of the web server and the worker": (logs, {control}),
        "files of a running platform": (stores.iter_files(), {control}),
        "dumps of a running platform": (stores.iter_dumps(), set()),
        "memory of a running Valkey": (stores.iter_valkey_entries(), set()),
    }
    for name, (contents, planted) in expected.items():
        matches = search(contents)
        hits = matches - planted
        assert figure(f"planted words in {name}", len(hits), of=len(sent_words), passes=not hits), hits
        assert matches == planted, f"the control in {name}"
    log_content = b"".join(logs)
    assert b"lepton.train" in log_content
    assert b"api/v1/items" in log_content


@pytest.mark.proof(row=7)
def test_the_disk_of_a_stopped_platform_contains_no_planted_word(
    platform: Platform, sent_words: list[str], figure: Callable[..., bool]
) -> None:
    assert platform.stop() == 0
    search = CanarySearch(sent_words)
    matches = search(path.read_bytes() for path in platform.home.rglob("*") if path.is_file())
    assert search.bytes_read > 10_000_000
    assert figure(
        "planted words on the disk of a stopped platform",
        len(matches),
        of=len(sent_words),
        passes=not matches,
    ), matches
