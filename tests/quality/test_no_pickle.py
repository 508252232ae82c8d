"""Nothing of ours is ever unpickled: neither written so in the source, nor done while the tests run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from lepton_platform.cache import JsonCacheSerializer
from lepton_platform.celery import app
from tests.conftest import ROOT
from tests.quality.unpicklers import findings, in_folder
from tests.unpickling import watch

PRODUCT = ("lepton_platform", "recommender", "tenants")
# They show that keys refuse to be pickled and that a planted pickle is not read, or hold texts for this search to find.
TESTS_ABOUT_IT = (
    *("crypto/test_handles.py", "platform/test_cache.py"),
    *("quality/test_no_pickle.py", "quality/unpicklers.py"),
)

WRONG = [
    "import pickle",
    "import cloudpickle as c",
    "from joblib import load",
    "from sklearn.externals import joblib",
    "import shelve",
    "def f():\n    from marshal import loads",
    "import_module('pickle').loads(b)",
    "__import__('dill')",
    "numpy.load(f, allow_pickle=True)",
    "np.load(f, allow_pickle=wanted)",
    "torch.load(f)",
    "torch.load(f, weights_only=False)",
    "yaml.load(f)",
    "yaml.load(f, Loader=yaml.Loader)",
    "yaml.unsafe_load(f)",
    "frame = pandas.read_pickle(f)",
    "SESSION_SERIALIZER = 'django.contrib.sessions.serializers.PickleSerializer'",
    "accept_content = ['json', 'pickle']",
    "from django.core.cache.backends.redis import PickleSerializer as P\nx = PickleSerializer()",
]
RIGHT = [
    "import json",
    "np.load(f, allow_pickle=False)",
    "torch.load(f, weights_only=True)",
    "yaml.load(f, Loader=yaml.SafeLoader)",
    "yaml.safe_load(f)",
    "accept_content = ['json']",
    "text = 'Keys are not pickled.'",
]


@pytest.mark.parametrize("source", WRONG)
def test_the_search_finds(source: str) -> None:
    assert findings(source)


@pytest.mark.parametrize("source", RIGHT)
def test_the_search_lets_pass(source: str) -> None:
    assert findings(source) == []


@pytest.mark.proof(row=19)
def test_the_source_of_the_product_names_no_pickle(figure: Callable[..., bool]) -> None:
    files = sum(len(list((ROOT / name).rglob("*.py"))) for name in PRODUCT)
    found = [one for name in PRODUCT for one in in_folder(ROOT / name)]
    assert files > 300
    assert figure("places in the source that could unpickle", len(found), of=files, passes=not found), found


def test_the_tests_unpickle_nothing_either() -> None:
    assert [
        one
        for one in in_folder(ROOT / "tests")
        if not one.startswith(tuple(f"tests/{name}" for name in TESTS_ABOUT_IT))
    ] == []


def test_messages_sessions_and_cache_are_json() -> None:
    assert list(app.conf.accept_content) == ["json"]
    assert {app.conf.task_serializer, app.conf.result_serializer, app.conf.event_serializer} == {"json"}
    assert settings.SESSION_SERIALIZER.endswith("JSONSerializer")
    assert settings.CACHES["default"]["OPTIONS"]["serializer"] is JsonCacheSerializer


UNPICKLES = {
    "pickle": "import pickle, datetime; pickle.loads(pickle.dumps(datetime.date(2026, 1, 1)))",
    "pickle in Python": "import pickle, datetime, io; pickle._loads(pickle.dumps(datetime.date(2026, 1, 1)))",
    "marshal": "import marshal; marshal.loads(marshal.dumps([1]))",
    "numpy": "import numpy, io; f = io.BytesIO(); numpy.save(f, numpy.array([{}])); f.seek(0);"
    "numpy.load(f, allow_pickle=True)",
    "a process of its own": "import multiprocessing as m, datetime\n"
    "if __name__ == '__main__':\n"
    "    with m.get_context('spawn').Pool(1) as pool: pool.map(str, [datetime.date(2026, 1, 1)])",
}


@pytest.mark.parametrize("how", UNPICKLES)
def test_whoever_unpickles_in_a_process_is_noticed(how: str, tmp_path: Path) -> None:
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(UNPICKLES[how])
    log.mkdir()
    environment = {**os.environ, "UNPICKLING_LOG": str(log)}
    subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=60)
    assert watch.find_unpickling(log)


def test_a_process_that_only_imports_is_not_suspected(tmp_path: Path) -> None:
    environment = {**os.environ, "UNPICKLING_LOG": str(tmp_path)}
    script = "import json, numpy, django, celery, lepton_platform.celery"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env=environment, check=True, timeout=60, cwd=ROOT
    )
    assert not watch.find_unpickling(tmp_path)


def test_a_run_in_which_something_was_unpickled_fails(tmp_path: Path) -> None:
    """pytest itself, with this project's hooks and one test that passes."""
    (tmp_path / "conftest.py").write_text(
        "from tests.unpickling import watch\n"
        "watch.install_audit_hook()\n"
        "def pytest_sessionfinish(session): watch.fail_on_violations(session)\n"
        "def pytest_unconfigure(config): watch.delete_logs()\n"
        "def pytest_terminal_summary(terminalreporter): watch.write_summary(terminalreporter)\n"
    )
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {UNPICKLES['pickle']}\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])},
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert "1 passed" in done.stdout
    assert "ERROR unpickled: " in done.stdout
    assert "test_it.py:test_it\tdatetime.date" in done.stdout
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
