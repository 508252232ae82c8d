from __future__ import annotations

import time

import pytest


@pytest.fixture
def now_ms() -> int:
    return int(time.time() * 1000) - 60_000
