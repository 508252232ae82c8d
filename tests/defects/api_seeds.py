"""Defects of the REST API."""

from __future__ import annotations

from tests.defects.seeds import Seed

_IDEMPOTENCY = "tests/api/test_idempotency.py"
_ISOLATION = "tests/api/test_isolation.py"

API_SEEDS = (
    Seed(
        "the scopes of a key are not checked",
        "lepton_platform/api/permissions.py",
        "if required not in granted:",
        "if required not in granted and False:",
        _ISOLATION,
    ),
    Seed(
        "a not-found error gives its reason",
        "lepton_platform/api/errors.py",
        'if domain_error.code == "not_found":',
        'if domain_error.code == "not_found" and False:',
        _ISOLATION,
    ),
    Seed(
        "simultaneous requests are not serialised",
        "tenants/data/actions/idempotency.py",
        'if not _fetch_flag(s, _LOCK, (int.from_bytes(digest[:8], "big", signed=True),)):',
        "if False:",
        _IDEMPOTENCY,
    ),
    Seed(
        "the idempotency key of another request is accepted",
        "tenants/data/actions/idempotency.py",
        "raise KeyReused()",
        "pass",
        _IDEMPOTENCY,
    ),
    Seed(
        "stored responses are not encrypted",
        "tenants/data/actions/idempotency.py",
        "sealed = _get_cipher(s).seal(body, reservation.key_digest)",
        "sealed = body",
        _IDEMPOTENCY,
    ),
    Seed(
        "the bucket does not subtract acquired tokens",
        "lepton_platform/api/throttling.py",
        "tokens = tokens - acquired\n",
        "",
        "tests/api/test_throttling.py",
    ),
    Seed(
        "cursors of another tenant are accepted",
        "lepton_platform/api/pagination.py",
        'salt=f"lepton.cursor.{tenant}.{listing}"',
        'salt="lepton.cursor"',
        "tests/api/test_pages.py",
    ),
    Seed(
        "the text of an unexpected error is returned",
        "lepton_platform/api/errors.py",
        'return build_problem_response(request, "internal_error", PROBLEM_TYPES["internal_error"].meaning)',
        'return build_problem_response(request, "internal_error", str(error))',
        "tests/api/test_problems.py",
    ),
)
