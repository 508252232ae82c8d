"""Defects of the control plane and of the staff pages."""

from __future__ import annotations

from tests.defects.seeds import Seed

_AUTHENTICATION = "tenants/control/queries/authentication.py"
_FIND_KEY = "tenants/control/migrations/0001_initial.py"

CONTROL_SEEDS = (
    Seed(
        "a revoked key is still found",
        _FIND_KEY,
        " AND k.revoked_at IS NULL",
        "",
        "tests/control/test_authentication.py",
    ),
    Seed(
        "a revocation takes a minute",
        _AUTHENTICATION,
        "CACHE_SECONDS = 5.0",
        "CACHE_SECONDS = 60.0",
        "tests/control/test_authentication.py",
    ),
    Seed(
        "a cached key forgets its end",
        _AUTHENTICATION,
        "cached_key.expires_at <= time.time()",
        "False",
        "tests/control/test_authentication.py",
    ),
    Seed(
        "a cached key forgets its networks",
        _AUTHENTICATION,
        "not _is_in_networks(remote_ip, cached_key.networks)",
        "False",
        "tests/control/test_authentication.py",
    ),
    Seed(
        "any secret opens",
        _AUTHENTICATION,
        "or not matches",
        "",
        "tests/control/test_authentication.py",
    ),
    Seed(
        "the pepper is left out",
        "tenants/control/key_format.py",
        "hmac.digest(pepper, ",
        'hmac.digest(b"", ',
        "tests/control/test_authentication.py",
    ),
    Seed(
        "the secret is stored",
        "tenants/control/actions/keys.py",
        "row.id, row.tenant_id = parts.id, s.tenant_id",
        "row.id, row.tenant_id, row.name = parts.id, s.tenant_id, secret",
        "tests/control/test_authentication.py",
    ),
    Seed(
        "the look-up follows the caller's search path",
        _FIND_KEY,
        " SET search_path = pg_catalog, pg_temp",
        "",
        "tests/control/test_key_lookup.py",
    ),
    Seed(
        "the audit log can be rewritten",
        "tenants/control/migrations/0001_initial.py",
        '                    tenants.rls.AppendOnly(name="control_auditentry_append_only"),\n',
        "",
        "tests/control/test_audit.py",
    ),
    Seed(
        "two owners remove each other",
        "tenants/control/actions/members.py",
        '.order_by("id").select_for_update()',
        '.order_by("id")',
        "tests/control/test_members.py",
    ),
    Seed(
        "a role is not looked at again",
        "tenants/control/actions/permission_checks.py",
        'if s.actor.kind != "user":',
        "if True:",
        "tests/control/test_roles.py",
    ),
    Seed(
        "a slug alone opens a tenant",
        "tenants/control/queries/members.py",
        "filter(user_id=user.id, tenant__slug=slug)",
        "filter(tenant__slug=slug)",
        "tests/control/test_tenant_filters.py",
    ),
    Seed(
        "an interrupted opening cannot be finished",
        "tenants/privacy/onboarding.py",
        "_find_opening_tenant(values) or actions",
        "actions",
        "tests/control/test_onboarding.py",
    ),
    Seed(
        "staff enter with a password alone",
        "lepton_platform/staff/access.py",
        "    if not settings.LEPTON_STAFF_NEEDS_MFA:",
        "    if True:",
        "tests/staff/test_access.py",
    ),
    Seed(
        "a link cancels a job",
        "lepton_platform/staff/jobs.py",
        'if request.method != "POST":',
        "if False:",
        "tests/staff/test_jobs.py",
    ),
)
