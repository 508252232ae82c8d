"""The collector of a web process."""

from __future__ import annotations

import subprocess
import sys


def test_what_stands_at_the_start_is_never_walked_again() -> None:
    """In a process of its own, for a collector that is settled stays so."""
    code = (
        "import gc; from lepton_platform.gc_tuning import settle; before = len(gc.get_objects()); settle();"
        "assert gc.get_freeze_count() > 0.9 * before; assert len(gc.get_objects()) < 0.1 * before;"
        "assert gc.isenabled(); assert gc.get_threshold()[0] > 700"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
