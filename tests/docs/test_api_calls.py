"""The calls of the README work in the order in which they are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from recommender.serving.snapshot import cache
from tenants.regions import TenantRef
from tests.docs.markdown import open_document

_CALL = re.compile(r"^call \$URL(\S+)\s+-d '(.*?)'", re.MULTILINE)


@pytest.fixture(autouse=True)
def own_snapshot_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No thread of this cache reads a database after the test."""
    monkeypatch.setattr(cache, "_cache", None)
    yield
    if cache._cache is not None:
        cache._cache.stop()


def test_the_calls_of_the_readme_succeed(api: Callable[..., Any], tenant: TenantRef) -> None:
    client = api(tenant)
    calls = _CALL.findall(open_document("README.md").text)
    responses = [client.post(path, json.loads(body)) for path, body in calls]
    assert [response.status_code // 100 for response in responses] == [2, 2, 2, 2]
    assert responses[1].json()["accepted"] == 1
    assert responses[2].status_code == 202
    assert responses[3].json()["stage"] in {"popular", "recent", "content", "empty"}
