"""Row-level security as schema: the functions that read a signed claim, and constraints that emit policies.

Policies are declared in `Meta.constraints` and carried by migrations. Django skips a constraint whose
`constraint_sql()` returns None without a word, so the statements go to `deferred_sql`, and the tests read
pg_policy and pg_class instead of trusting the models.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunSQL

APP_ROLE = "lepton_app"
_HMAC_BLOCK_BYTES = 64
_CLAIM_CHECK = f"(tenant_id IS DISTINCT FROM '{UUID(int=0)}' OR tenant_id = app.require_claim())"
T = TypeVar("T")

FUNCTIONS = """
CREATE SCHEMA IF NOT EXISTS app;
REVOKE ALL ON SCHEMA app FROM PUBLIC;
GRANT USAGE ON SCHEMA app TO lepton_app;

CREATE TABLE IF NOT EXISTS app.scope_secret (
    slot smallint PRIMARY KEY,
    inner_pad bytea NOT NULL,
    outer_pad bytea NOT NULL
);
REVOKE ALL ON app.scope_secret FROM PUBLIC, lepton_app;

CREATE OR REPLACE FUNCTION app.claim() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    raw text := current_setting('app.scope', true);
    body text;
BEGIN
    IF raw IS NULL OR length(raw) < 66 THEN
        RAISE EXCEPTION 'no scope: tenant data needs a signed claim' USING ERRCODE = 'insufficient_privilege';
    END IF;
    body := left(raw, length(raw) - 65);
    IF NOT EXISTS (
        SELECT FROM app.scope_secret s
        WHERE encode(sha256(s.outer_pad || sha256(s.inner_pad || convert_to(body, 'UTF8'))), 'hex') = right(raw, 64)
    ) THEN
        RAISE EXCEPTION 'forged scope' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF split_part(body, '|', 2)::bigint < extract(epoch FROM statement_timestamp()) THEN
        RAISE EXCEPTION 'expired scope' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN split_part(body, '|', 1);
END $$;

CREATE OR REPLACE FUNCTION app.current_tenant() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    claim text := app.claim();
BEGIN
    IF claim NOT LIKE 'tenant:%' THEN
        RAISE EXCEPTION 'this scope names no tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN substr(claim, 8)::uuid;
END $$;

CREATE OR REPLACE FUNCTION app.scoped_tenant() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    claim text := app.claim();
BEGIN
    RETURN CASE WHEN claim LIKE 'tenant:%' THEN substr(claim, 8)::uuid END;
END $$;

CREATE OR REPLACE FUNCTION app.scoped_user() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    claim text := app.claim();
BEGIN
    RETURN CASE WHEN claim LIKE 'user:%' THEN substr(claim, 6)::uuid END;
END $$;

CREATE OR REPLACE FUNCTION app.is_ops() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN app.claim() LIKE 'ops:%';
END $$;

-- NULL, for the planner to ask: it calls this once a statement, so it looks at the claim and not at its signature.
CREATE OR REPLACE FUNCTION app.require_claim() RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
DECLARE
    raw text := coalesce(current_setting('app.scope', true), '');
BEGIN
    IF raw = '' THEN
        RAISE EXCEPTION 'no scope: tenant data needs a signed claim' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF raw !~ '^[a-z]+:[^|]+[|][0-9]{1,12}[|]' THEN
        RAISE EXCEPTION 'forged scope' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF split_part(raw, '|', 2)::bigint < extract(epoch FROM statement_timestamp()) THEN
        RAISE EXCEPTION 'expired scope' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION app.claim(), app.require_claim() FROM PUBLIC;
REVOKE ALL ON FUNCTION app.current_tenant(), app.scoped_tenant(), app.scoped_user(), app.is_ops() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.current_tenant(), app.scoped_tenant(), app.scoped_user(), app.is_ops() TO lepton_app;
GRANT EXECUTE ON FUNCTION app.require_claim() TO lepton_app;
"""


def install_functions() -> RunSQL:
    """The first operation of every plane's migrations; may run again. Needs the roles of deploy/postgres/roles.sql."""
    return RunSQL(FUNCTIONS, RunSQL.noop)


class _Cursor(Protocol):
    def execute(self, sql: str, params: Sequence[Any] = ..., /) -> Any: ...


def install_scope_key(cursor: _Cursor, key: bytes, *, slot: int = 0) -> None:
    """Stores the two HMAC pads of `key`, as the migrator; the key itself never enters the database."""
    block = (
        key.ljust(_HMAC_BLOCK_BYTES, b"\0")
        if len(key) <= _HMAC_BLOCK_BYTES
        else hashlib.sha256(key).digest().ljust(_HMAC_BLOCK_BYTES, b"\0")
    )
    cursor.execute(
        "INSERT INTO app.scope_secret (slot, inner_pad, outer_pad) VALUES (%s, %s, %s) "
        "ON CONFLICT (slot) DO UPDATE SET inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad",
        (slot, bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)),
    )


def _require_value(value: T | None) -> T:
    """Django's signatures allow None where it never passes it."""
    if value is None:
        raise TypeError("A constraint needs its model and schema editor.")
    return value


class SqlConstraint(models.BaseConstraint, ABC):
    """A table guarantee that Django has no word for; subclasses say the SQL."""

    @abstractmethod
    def create_statements(self, table: str, name: str) -> list[str]:
        """SQL that makes it, one statement each."""

    @abstractmethod
    def drop_statement(self, table: str, name: str) -> str:
        """SQL that takes it away."""

    def constraint_sql(
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Any:
        _require_value(schema_editor).deferred_sql.extend(
            self._render_statements(_require_value(model), _require_value(schema_editor))
        )

    def create_sql(
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Any:
        return ";\n".join(self._render_statements(_require_value(model), _require_value(schema_editor)))

    def remove_sql(
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Any:
        quote = _require_value(schema_editor).quote_name
        return self.drop_statement(quote(_require_value(model)._meta.db_table), quote(self.name))

    def _render_statements(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[str]:
        return self.create_statements(editor.quote_name(model._meta.db_table), editor.quote_name(self.name))

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """PostgreSQL enforces it; there is nothing to check on an instance."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SqlConstraint) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash(repr(self.deconstruct()))


class TenantPolicy(SqlConstraint):
    """FORCE row-level security: rows of the claimed tenant only, for reads and writes.

    A claim is checked for rows only. Without one a statement raises even where it would look at none: the planner
    calls a stable function beside a column to estimate how many rows match. The part for it is always true.
    """

    condition = "tenant_id = (SELECT app.current_tenant())"
    write_condition = condition

    def create_statements(self, table: str, name: str) -> list[str]:
        return [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {name} ON {table} {self.render_clauses()}",
        ]

    @classmethod
    def render_clauses(cls) -> str:
        return f"USING (({cls.condition}) AND {_CLAIM_CHECK}) WITH CHECK ({cls.write_condition})"

    def drop_statement(self, table: str, name: str) -> str:
        return f"DROP POLICY {name} ON {table}"


class TenantOrOpsPolicy(TenantPolicy):
    """For job leases, the outbox and the control plane, which hold no end-user data: also `ops:` claims."""

    condition = "(SELECT app.is_ops()) OR tenant_id = (SELECT app.scoped_tenant())"
    write_condition = condition


class MembershipPolicy(TenantOrOpsPolicy):
    """Also a signed-in user's own rows, to read."""

    condition = TenantOrOpsPolicy.condition + " OR user_id = (SELECT app.scoped_user())"


def replace_policies(policy: type[TenantPolicy], *tables: str) -> RunSQL:
    """Gives policies that an earlier version made their present form."""
    statements = [f"ALTER POLICY {table}_policy ON {table} {policy.render_clauses()}" for table in tables]
    return RunSQL(";\n".join(statements), RunSQL.noop)


class AppendOnly(SqlConstraint):
    """The application role may add and read, never change or remove."""

    def create_statements(self, table: str, name: str) -> list[str]:
        return [f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE}"]

    def drop_statement(self, table: str, name: str) -> str:
        return f"GRANT UPDATE, DELETE ON {table} TO {APP_ROLE}"


class CompositeForeignKey(SqlConstraint):
    """A foreign key that starts with `tenant_id`, so that no delete or check crosses tenants."""

    def __init__(
        self, *, name: str, columns: Sequence[str], to_table: str, to_columns: Sequence[str]
    ) -> None:
        super().__init__(name=name)
        if columns[0] != "tenant_id" or to_columns[0] != "tenant_id":
            raise ValueError("A foreign key of a tenant table starts with tenant_id.")
        self.columns, self.to_table, self.to_columns = tuple(columns), to_table, tuple(to_columns)

    def create_statements(self, table: str, name: str) -> list[str]:
        return [
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({', '.join(self.columns)}) "
            f'REFERENCES "{self.to_table}" ({", ".join(self.to_columns)}) ON DELETE CASCADE'
        ]

    def drop_statement(self, table: str, name: str) -> str:
        return f"ALTER TABLE {table} DROP CONSTRAINT {name}"

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return (
            path,
            tuple(args),
            {**kwargs, "columns": self.columns, "to_table": self.to_table, "to_columns": self.to_columns},
        )
