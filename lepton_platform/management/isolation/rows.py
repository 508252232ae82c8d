"""A fingerprint of everything that is stored for a tenant."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from psycopg import sql

from lepton_platform.management.isolation.catalogue import relations
from lepton_platform.management.isolation.spaces import ACTOR
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, control_scope, keys_scope, scope

# Workers publish messages and fold counters at any time, without changing what they say.
MOVING = frozenset({"data_outbox", "data_counter", "data_counterdelta"})
# When a key was last used is noted after the request that used it.
_DIGEST = """
SELECT count(*), md5(coalesce(string_agg(digest, '' ORDER BY digest), ''))
FROM (SELECT md5((to_jsonb(t) - 'last_used_at')::text) AS digest FROM {} t) AS hashed
"""
Opens = Callable[..., AbstractContextManager[Scope]]


def fingerprint(tenant: TenantRef, *, without: Collection[str] = MOVING) -> dict[str, tuple[int, str]]:
    """Table to (rows, digest), in the directory, the data and the keys database; where no worker runs, no table
    need be left out."""
    planes = (scope, keys_scope, _directory)
    return {name: row for opens in planes for name, row in _of(tenant, opens, without).items()}


def _directory(tenant: TenantRef, *, actor: Actor) -> AbstractContextManager[Scope]:
    return control_scope(tenant.id, actor=actor)


def _of(tenant: TenantRef, opens: Opens, without: Collection[str]) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    with opens(tenant, actor=ACTOR) as s:
        for relation in relations(s.alias):
            if relation.name not in without:
                row = s.cursor().execute(sql.SQL(_DIGEST).format(sql.Identifier(relation.name))).fetchone()
                found[f"{s.alias}.{relation.name}"] = (int(row[0]), str(row[1])) if row else (0, "")
    return found
