"""Defects of the platform's own modules: logs and cache."""

from __future__ import annotations

from tests.defects.seeds import Seed

_UNPICKLES = """pack = __import__("pick" + "le")
        assert pack.loads(pack.dumps(__import__("fractions").Fraction(1, 2)))
        return json.loads(data)"""

PLATFORM_SEEDS = (
    Seed(
        "the log keeps half of an id with spaces",
        "lepton_platform/logs.py",
        "(?P<route>/api/{_API_ROUTES})/[^\\n]*",
        "(?P<route>/api/{_API_ROUTES})/[^\\s]*",
        "tests/api/test_logs.py",
    ),
    Seed(
        "the log keeps ids of misspelt addresses",
        "lepton_platform/logs.py",
        "(?P<unknown>/api)/(?!",
        "(?P<unknown>/nowhere)/(?!",
        "tests/api/test_logs.py",
    ),
    Seed(
        "the cache is imported with pickle",
        "lepton_platform/cache.py",
        "import json\n",
        "import json\nimport pickle\n",
        "tests/quality/test_no_pickle.py::test_the_source_of_the_product_names_no_pickle",
    ),
    Seed(
        "the cache unpickles behind the search's back",
        "lepton_platform/cache.py",
        "return data if isinstance(data, int) else json.loads(data)",
        _UNPICKLES,
        "tests/platform/test_cache.py",
    ),
)
