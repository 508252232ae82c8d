"""A fingerprint of everything that is stored for a tenant."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from psycopg import sql

from lepton_platform.management.isolation.pg_catalog import list_relations
from lepton_platform.management.isolation.tenant_pair import ACTOR
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, control_scope, keys_scope, scope

# Workers publish messages and fold counters at any time, without changing what they say.
VOLATILE_TABLES = frozenset({"data_outbox", "data_counter", "data_counterdelta"})
# When a key was last used is noted after the request that used it.
_DIGEST_SQL = """
SELECT count(*), md5(coalesce(string_agg(digest, '' ORDER BY digest), ''))
FROM (SELECT md5((to_jsonb(t) - 'last_used_at')::text) AS digest FROM {} t) AS hashed
"""
ScopeFactory = Callable[..., AbstractContextManager[Scope]]


def fingerprint(
    tenant: TenantRef, *, excluded_tables: Collection[str] = VOLATILE_TABLES
) -> dict[str, tuple[int, str]]:
    """Table to (rows, digest), in the directory, the data and the keys database; where no worker runs, no table
    need be left out."""
    planes = (scope, keys_scope, _open_directory_scope)
    return {
        name: row for opens in planes for name, row in _hash_plane(tenant, opens, excluded_tables).items()
    }


def _open_directory_scope(tenant: TenantRef, *, actor: Actor) -> AbstractContextManager[Scope]:
    return control_scope(tenant.id, actor=actor)


def _hash_plane(
    tenant: TenantRef, open_scope: ScopeFactory, excluded_tables: Collection[str]
) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    with open_scope(tenant, actor=ACTOR) as s:
        for relation in list_relations(s.alias):
            if relation.name not in excluded_tables:
                row = (
                    s.cursor().execute(sql.SQL(_DIGEST_SQL).format(sql.Identifier(relation.name))).fetchone()
                )
                found[f"{s.alias}.{relation.name}"] = (int(row[0]), str(row[1])) if row else (0, "")
    return found
