"""Defects of the REST API."""

from __future__ import annotations

from tests.defects.seeds import Seed

_IDEMPOTENCY = "tests/api/test_idempotency.py"
_ISOLATION = "tests/api/test_isolation.py"

API_SEEDS = (
    Seed(
        "the scopes of a key are not asked for",
        "lepton_platform/api/permissions.py",
        "if required not in granted:",
        "if required not in granted and False:",
        _ISOLATION,
    ),
    Seed(
        "what is not found says why",
        "lepton_platform/api/errors.py",
        'kind.meaning if known.code == "not_found" else known.detail',
        "known.detail",
        _ISOLATION,
    ),
    Seed(
        "simultaneous requests do not see each other",
        "tenants/data/actions/idempotency.py",
        'if not _fetch_flag(s, _LOCK, (int.from_bytes(digest[:8], "big", signed=True),)):',
        "if False:",
        _IDEMPOTENCY,
    ),
    Seed(
        "the key of another request is believed",
        "tenants/data/actions/idempotency.py",
        "raise KeyReused()",
        "pass",
        _IDEMPOTENCY,
    ),
    Seed(
        "stored answers are not sealed",
        "tenants/data/actions/idempotency.py",
        "sealed = _get_cipher(s).seal(body, reservation.key_digest)",
        "sealed = body",
        _IDEMPOTENCY,
    ),
    Seed(
        "the bucket forgets what was taken",
        "lepton_platform/api/throttling.py",
        "tokens = tokens - taken\n",
        "",
        "tests/api/test_throttling.py",
    ),
    Seed(
        "cursors of another tenant are read",
        "lepton_platform/api/pagination.py",
        'salt=f"lepton.cursor.{tenant}.{listing}"',
        'salt="lepton.cursor"',
        "tests/api/test_pages.py",
    ),
    Seed(
        "an unforeseen error is told",
        "lepton_platform/api/errors.py",
        'return build_problem_response(request, "internal_error", PROBLEM_TYPES["internal_error"].meaning)',
        'return build_problem_response(request, "internal_error", str(error))',
        "tests/api/test_problems.py",
    ),
)
