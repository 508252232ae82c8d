from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.platform import Platform


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A complete platform for this module, as `make run` starts it."""
    with tempfile.TemporaryDirectory(prefix="lepton-faults-") as folder:
        running = Platform(Path(folder))
        running.start()
        yield running
        if running.process is not None and running.process.poll() is None:
            running.stop()
