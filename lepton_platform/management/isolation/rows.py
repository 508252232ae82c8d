"""Fingerprint of everything that is stored for a tenant."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from psycopg import sql

from lepton_platform.management.isolation.pg_catalog import list_relations
from lepton_platform.management.isolation.tenant_pair import ACTOR
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, control_scope, keys_scope, scope

# Workers publish outbox messages and fold counters at any time; the totals stay the same.
VOLATILE_TABLES = frozenset({"data_outbox", "data_counter", "data_counterdelta"})
# `last_used_at` of a key is written after the request that used it, so it is not part of the digest.
_DIGEST_SQL = """
SELECT count(*), md5(coalesce(string_agg(digest, '' ORDER BY digest), ''))
FROM (SELECT md5((to_jsonb(t) - 'last_used_at')::text) AS digest FROM {} t) AS hashed
"""
ScopeFactory = Callable[..., AbstractContextManager[Scope]]


def fingerprint(
    tenant: TenantRef, *, excluded_tables: Collection[str] = VOLATILE_TABLES
) -> dict[str, tuple[int, str]]:
    """(number of rows, digest) of each table in the control, data and keys databases, keyed `alias.table`.

    Args:
        tenant: whose rows are hashed; row-level security hides all others.
        excluded_tables: pass an empty collection where no worker runs.
    """
    digests: dict[str, tuple[int, str]] = {}
    for open_scope in (scope, keys_scope, _open_directory_scope):
        digests |= _hash_plane(tenant, open_scope, excluded_tables)
    return digests


def _open_directory_scope(tenant: TenantRef, *, actor: Actor) -> AbstractContextManager[Scope]:
    return control_scope(tenant.id, actor=actor)


def _hash_plane(
    tenant: TenantRef, open_scope: ScopeFactory, excluded_tables: Collection[str]
) -> dict[str, tuple[int, str]]:
    digests: dict[str, tuple[int, str]] = {}
    with open_scope(tenant, actor=ACTOR) as s:
        for relation in list_relations(s.alias):
            if relation.name in excluded_tables:
                continue
            statement = sql.SQL(_DIGEST_SQL).format(sql.Identifier(relation.name))
            row = s.cursor().execute(statement).fetchone()
            digests[f"{s.alias}.{relation.name}"] = (int(row[0]), str(row[1])) if row else (0, "")
    return digests
