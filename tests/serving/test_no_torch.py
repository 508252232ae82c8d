"""The web process imports neither torch nor a video decoder.

They would cost every worker seconds and hundreds of megabytes.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_LIST_HEAVY_MODULES = """
import sys, django
django.setup()
import {module}
heavy = [name for name in ("torch", "onnx", "implicit", "cv2") if name in sys.modules]
print(heavy)
"""


@pytest.mark.parametrize(
    "module",
    ["lepton_platform.urls", "recommender.serving", "lepton_platform.tasks", "recommender.registry.bundle"],
)
def test_serving_never_imports_torch_or_video_decoders(module: str) -> None:
    environ = {**os.environ, "LEPTON_ROLE": "build", "DJANGO_SETTINGS_MODULE": "lepton_platform.settings"}
    process = subprocess.run(
        [sys.executable, "-c", _LIST_HEAVY_MODULES.format(module=module)],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.strip().splitlines()[-1] == "[]"
