"""Garbage collection in a web process."""

from __future__ import annotations

import subprocess
import sys


def test_objects_that_exist_at_start_are_frozen() -> None:
    """Runs in a separate process, because freezing affects the whole process."""
    code = (
        "import gc; from lepton_platform.gc_tuning import freeze_gc; before = len(gc.get_objects()); freeze_gc();"
        "assert gc.get_freeze_count() > 0.9 * before; assert len(gc.get_objects()) < 0.1 * before;"
        "assert gc.isenabled(); assert gc.get_threshold()[0] > 700"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
