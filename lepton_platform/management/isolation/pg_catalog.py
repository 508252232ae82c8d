"""Row-level security as PostgreSQL's system catalogue states it, read as the application role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connections

from lepton_platform.checks import check_ownership, check_role

# Partitions, views and materialised views are included: each can be read without going through its base table.
_RELATIONS_SQL = """
SELECT c.oid::regclass::text, c.relkind::text, c.relrowsecurity AND c.relforcerowsecurity,
       EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*'
               AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL),
       coalesce((SELECT bool_and(pg_get_expr(p.polqual, p.polrelid) LIKE '%app.%'
                                 AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '%app.%')
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
    """A relation with a `tenant_id`; the fields are the columns of `_RELATIONS_SQL` in order.

    `kind` is pg_class.relkind; `checks_claim`: all policies for PUBLIC compare with an `app.*` setting;
    `has_global_unique`: a unique index does not start with `tenant_id`.
    """

    name: str
    kind: str
    forces_rls: bool
    has_policy: bool
    checks_claim: bool
    has_global_unique: bool

    def find_problems(self, *, is_control_plane: bool) -> Iterator[str]:
        """One sentence for each missing protection. Ids of the control plane may be globally unique."""
        if self.kind in ("v", "m", "f"):
            yield f"{self.name} is a view or foreign table on tenants' rows"
            return
        if not self.forces_rls:
            yield f"{self.name} does not force row-level security"
        if not self.has_policy:
            yield f"{self.name} has no policy for reads and writes"
        if not self.checks_claim:
            yield f"{self.name} has a policy that does not check the claim"
        # A global unique key would show a tenant that another one uses the same id.
        if self.has_global_unique and not is_control_plane:
            yield f"{self.name} has a unique key that does not start with the tenant"


def list_relations(alias: str) -> list[ProtectedRelation]:
    """Every relation with a `tenant_id`, by name."""
    with connections[alias].cursor() as cursor:
        cursor.execute(_RELATIONS_SQL)
        return [ProtectedRelation(*row) for row in cursor.fetchall()]


def find_catalog_problems(alias: str) -> list[str]:
    """Missing protections of all relations, and privileges that the application role must not have."""
    relations = list_relations(alias)
    if not relations:
        return ["no table has tenants' rows: the catalogue was not read"]
    problems: list[str] = []
    for relation in relations:
        problems += relation.find_problems(is_control_plane=alias == "default")
    with connections[alias].cursor() as cursor:
        problems += check_role(cursor)
        problems += check_ownership(cursor)
    return problems


def find_control_problems() -> list[str]:
    """Problems of an invented relation without any protection; all four must be found."""
    unprotected = ProtectedRelation(
        name="unlocked",
        kind="r",
        forces_rls=False,
        has_policy=False,
        checks_claim=False,
        has_global_unique=True,
    )
    return list(unprotected.find_problems(is_control_plane=False))
