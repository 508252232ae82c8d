"""What PostgreSQL's own catalogue says about the locks, read as the application role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connections

from lepton_platform.checks import ownership_problems, role_problems

# Partitions, views and materialised views count: each can be read past the table that they stand on.
_RELATIONS = """
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
class Relation:
    name: str
    kind: str
    forced: bool
    guarded: bool
    by_claim: bool
    global_unique: bool

    def problems(self, *, shared: bool) -> Iterator[str]:
        """`shared` is the control plane, whose ids are unique by nature."""
        if self.kind in ("v", "m", "f"):
            yield f"{self.name} is a view or foreign table on tenants' rows"
            return
        if not self.forced:
            yield f"{self.name} does not force row-level security"
        if not self.guarded:
            yield f"{self.name} has no policy for reads and writes"
        if not self.by_claim:
            yield f"{self.name} has a policy that does not ask for the claim"
        if self.global_unique and not shared:
            yield f"{self.name} has a unique key that does not start with the tenant"


def relations(alias: str) -> list[Relation]:
    """Every relation with a `tenant_id`."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_RELATIONS.replace("%%", "%"))
        return [Relation(*row) for row in cursor.fetchall()]


def problems(alias: str) -> list[str]:
    found = relations(alias)
    sentences = [sentence for one in found for sentence in one.problems(shared=alias == "default")]
    with connections[alias].cursor() as cursor:
        sentences += [*role_problems(cursor), *ownership_problems(cursor)]
    if not found:
        sentences.append("no table has tenants' rows: the catalogue was not read")
    return sentences


def control() -> Any:
    """Problems of a made-up relation without any lock; all of them must be found."""
    return [*Relation("unlocked", "r", False, False, False, True).problems(shared=False)]
