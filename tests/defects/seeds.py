"""Defects worth a guard, each with the tests that must catch it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seed:
    """`right` stands exactly once in `path`; with `wrong` in its place `caught_by` must fail."""

    name: str
    path: str
    right: str
    wrong: str
    caught_by: str


SEEDS = (
    Seed(
        "the owner escapes the policies",
        "tenants/rls.py",
        'f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",',
        "",
        "tests/isolation/test_policies.py",
    ),
    Seed(
        "a forged claim is believed",
        "tenants/claim_functions.py",
        "= right(raw, 64)",
        "IS NOT NULL",
        "tests/isolation/test_forged_scope.py",
    ),
    Seed(
        "the manager forgets to refuse",
        "tenants/base.py",
        'get_current_scope(_ALIAS_PREFIXES.get(self.model._meta.app_label, "data_"))',
        "",
        "tests/isolation/test_missing_scope.py",
    ),
    Seed(
        "a sealed value is not bound to its row",
        "tenants/crypto/aead.py",
        "return self._header + nonce + self._encrypt(nonce, plaintext, self._prefix + row)",
        "return self._header + nonce + self._encrypt(nonce, plaintext, self._prefix)",
        "tests/crypto/test_binding.py",
    ),
    Seed(
        "a claim survives in the pool",
        "tenants/scope.py",
        'if row is None or row[0] != "":',
        "if row is None:",
        "tests/platform/test_pool.py",
    ),
    Seed(
        "a table without policy is served",
        "lepton_platform/checks.py",
        "AND NOT (c.relrowsecurity AND c.relforcerowsecurity",
        "AND NOT (c.relrowsecurity",
        "tests/platform/test_startup_checks.py",
    ),
    Seed(
        "keys are logged",
        "lepton_platform/logs.py",
        'r"lep_[A-Za-z0-9_\\-]{8,}"',
        'r"lop_[A-Za-z0-9_\\-]{8,}"',
        "tests/platform/test_logs.py",
    ),
    Seed(
        "a dead program's workers live on",
        "lepton_platform/embedded/supervisor.py",
        "        kill_process_group(running.process)\n",
        "",
        "tests/platform/test_supervisor.py",
    ),
)
