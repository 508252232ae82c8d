"""What PostgreSQL's own catalogue says about the locks, read as the application role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connections

from lepton_platform.checks import check_ownership, check_role

# Partitions, views and materialised views count: each can be read past the table that they stand on.
_RELATIONS_SQL = """
SELECT c.oid::regclass::text, c.relkind::text, c.relrowsecurity AND c.relforcerowsecurity,
       EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*'
               AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL),
       coalesce((SELECT bool_and(pg_get_expr(p.polqual, p.polrelid) LIKE '%%app.%%'
                                 AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '%%app.%%')
                 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polroles = '{0}'), false),
       EXISTS (SELECT FROM pg_index i JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = i.indkey[0]
               WHERE i.indrelid = c.oid AND i.indisunique AND k.attname <> 'tenant_id')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND EXISTS (SELECT FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class ProtectedRelation:
    name: str
    kind: str
    forces_rls: bool
    has_policy: bool
    checks_claim: bool
    has_global_unique: bool

    def find_problems(self, *, is_control_plane: bool) -> Iterator[str]:
        """`shared` is the control plane, whose ids are unique by nature."""
        if self.kind in ("v", "m", "f"):
            yield f"{self.name} is a view or foreign table on tenants' rows"
            return
        if not self.forces_rls:
            yield f"{self.name} does not force row-level security"
        if not self.has_policy:
            yield f"{self.name} has no policy for reads and writes"
        if not self.checks_claim:
            yield f"{self.name} has a policy that does not ask for the claim"
        if self.has_global_unique and not is_control_plane:
            yield f"{self.name} has a unique key that does not start with the tenant"


def list_relations(alias: str) -> list[ProtectedRelation]:
    """Every relation with a `tenant_id`."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_RELATIONS_SQL.replace("%%", "%"))
        return [ProtectedRelation(*row) for row in cursor.fetchall()]


def find_catalog_problems(alias: str) -> list[str]:
    found = list_relations(alias)
    sentences = [
        sentence for one in found for sentence in one.find_problems(is_control_plane=alias == "default")
    ]
    with connections[alias].cursor() as cursor:
        sentences += [*check_role(cursor), *check_ownership(cursor)]
    if not found:
        sentences.append("no table has tenants' rows: the catalogue was not read")
    return sentences


def find_control_problems() -> Any:
    """Problems of a made-up relation without any lock; all of them must be found."""
    return [
        *ProtectedRelation("unlocked", "r", False, False, False, True).find_problems(is_control_plane=False)
    ]
