from __future__ import annotations

import re
from typing import Any

import pytest

from lepton_platform.api import openapi
from lepton_platform.api.errors import PROBLEM_TYPES


@pytest.fixture
def page(client: Any) -> str:
    answer = client.get("/docs")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_every_operation_and_every_error_has_its_place(page: str) -> None:
    names = [operation.name for _, operation in openapi.iter_operations()]
    anchors = names + [f"problem-{code}" for code in PROBLEM_TYPES]
    assert [anchor for anchor in anchors if f'id="{anchor}"' not in page] == []


def test_nothing_is_asked_of_another_host(page: str) -> None:
    loaded = re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="([^"]+)"', page)
    assert loaded != []
    assert [address for address in loaded if not address.startswith("/")] == []


def test_the_page_needs_no_inline_script_or_style(page: str, client: Any) -> None:
    assert re.search(r"<script>|<style|style=|onclick=", page) is None
    assert "unsafe" not in client.get("/docs")["Content-Security-Policy"]


def test_the_frame_speaks_chinese(client: Any) -> None:
    answer = client.get("/docs", headers={"Accept-Language": "zh-hans"})
    assert '<html lang="zh-hans">' in answer.content.decode()
