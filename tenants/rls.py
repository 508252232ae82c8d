"""Row-level security: model constraints that create policies, and the installation of what policies need.

Policies are declared in `Meta.constraints` and created by migrations. Django silently skips a constraint whose
`constraint_sql()` returns None, so the statements are appended to `deferred_sql`, and tests check pg_policy and pg_class
instead of the models.
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

from tenants.claim_functions import CLAIM_FUNCTIONS

APP_ROLE = "lepton_app"
_HMAC_BLOCK_BYTES = 64
# True for every row, because no tenant has the nil UUID. Its purpose is the call at planning time: see TenantPolicy.
_CLAIM_CHECK = f"(tenant_id IS DISTINCT FROM '{UUID(int=0)}' OR tenant_id = app.require_claim())"
T = TypeVar("T")


def install_functions() -> RunSQL:
    """Returns the first operation of every plane's migrations. It is idempotent and needs deploy/postgres/roles.sql."""
    return RunSQL(CLAIM_FUNCTIONS, RunSQL.noop)


class _Cursor(Protocol):
    def execute(self, sql: str, params: Sequence[Any] = ..., /) -> Any: ...


def install_scope_key(cursor: _Cursor, key: bytes, *, slot: int = 0) -> None:
    """Stores the two HMAC pads of `key` in `slot`, as the migrator. The key itself is not stored.

    Two slots allow a change of the key without downtime: claims of either key are valid.
    """
    if len(key) > _HMAC_BLOCK_BYTES:
        # RFC 2104: a key longer than the block is hashed first.
        key = hashlib.sha256(key).digest()
    block = key.ljust(_HMAC_BLOCK_BYTES, b"\0")
    cursor.execute(
        "INSERT INTO app.scope_secret (slot, inner_pad, outer_pad) VALUES (%s, %s, %s) "
        "ON CONFLICT (slot) DO UPDATE SET inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad",
        (slot, bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)),
    )


def _require_value(value: T | None) -> T:
    """Narrows the type: Django's signatures allow None, but Django never passes it."""
    if value is None:
        raise TypeError("A constraint needs its model and schema editor.")
    return value


class SqlConstraint(models.BaseConstraint, ABC):
    """A guarantee of a table that Django has no constraint class for. Subclasses return the SQL."""

    @abstractmethod
    def create_statements(self, table: str, name: str) -> list[str]:
        """Returns the SQL statements that create the guarantee."""

    @abstractmethod
    def drop_statement(self, table: str, name: str) -> str:
        """Returns the SQL statement that drops the guarantee."""

    def constraint_sql(
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Any:
        """Appends the statements to `deferred_sql`; they run after the table was created."""
        editor = _require_value(schema_editor)
        editor.deferred_sql.extend(self._render_statements(_require_value(model), editor))

    def create_sql(
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Any:
        """Returns the statements that add the guarantee to an existing table."""
        return ";\n".join(self._render_statements(_require_value(model), _require_value(schema_editor)))

    def remove_sql(
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Any:
        """Returns the statement that drops the guarantee."""
        quote = _require_value(schema_editor).quote_name
        return self.drop_statement(quote(_require_value(model)._meta.db_table), quote(self.name))

    def _render_statements(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[str]:
        return self.create_statements(editor.quote_name(model._meta.db_table), editor.quote_name(self.name))

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Checks nothing: PostgreSQL enforces the guarantee."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SqlConstraint) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash(repr(self.deconstruct()))


class TenantPolicy(SqlConstraint):
    """FORCE ROW LEVEL SECURITY: reads and writes see only rows of the claimed tenant.

    PostgreSQL evaluates a policy per row, so without `_CLAIM_CHECK` a statement without a claim would pass on an empty
    table. The planner evaluates the stable function in `_CLAIM_CHECK` to estimate selectivity, so such a statement
    raises at planning time.
    """

    condition = "tenant_id = (SELECT app.current_tenant())"
    write_condition = condition

    def create_statements(self, table: str, name: str) -> list[str]:
        """See SqlConstraint."""
        return [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {name} ON {table} "
            f"USING (({self.condition}) AND {_CLAIM_CHECK}) WITH CHECK ({self.write_condition})",
        ]

    def drop_statement(self, table: str, name: str) -> str:
        """See SqlConstraint."""
        return f"DROP POLICY {name} ON {table}"


class TenantOrOpsPolicy(TenantPolicy):
    """Also allows `ops:` claims: for job leases, the outbox and the control plane, which hold no end-user data."""

    condition = "(SELECT app.is_ops()) OR tenant_id = (SELECT app.scoped_tenant())"
    write_condition = condition


class MembershipPolicy(TenantOrOpsPolicy):
    """Also allows a signed-in user to read their own rows."""

    condition = TenantOrOpsPolicy.condition + " OR user_id = (SELECT app.scoped_user())"


class AppendOnly(SqlConstraint):
    """Revokes UPDATE, DELETE and TRUNCATE from the application role; it may insert and select."""

    def create_statements(self, table: str, name: str) -> list[str]:
        """See SqlConstraint."""
        return [f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE}"]

    def drop_statement(self, table: str, name: str) -> str:
        """See SqlConstraint."""
        return f"GRANT UPDATE, DELETE ON {table} TO {APP_ROLE}"


class CompositeForeignKey(SqlConstraint):
    """A foreign key whose first column is `tenant_id`, so a cascade or a check never crosses tenants."""

    def __init__(
        self,
        *,
        name: str,
        columns: Sequence[str],
        to_table: str,
        to_columns: Sequence[str],
    ) -> None:
        super().__init__(name=name)
        if columns[0] != "tenant_id" or to_columns[0] != "tenant_id":
            raise ValueError("A foreign key of a tenant table starts with tenant_id.")
        self.columns, self.to_table, self.to_columns = tuple(columns), to_table, tuple(to_columns)

    def create_statements(self, table: str, name: str) -> list[str]:
        """See SqlConstraint."""
        return [
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({', '.join(self.columns)}) "
            f'REFERENCES "{self.to_table}" ({", ".join(self.to_columns)}) ON DELETE CASCADE'
        ]

    def drop_statement(self, table: str, name: str) -> str:
        """See SqlConstraint."""
        return f"ALTER TABLE {table} DROP CONSTRAINT {name}"

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Returns path, positional and keyword arguments for the migration writer."""
        path, args, kwargs = super().deconstruct()
        kwargs["columns"] = self.columns
        kwargs["to_table"] = self.to_table
        kwargs["to_columns"] = self.to_columns
        return path, tuple(args), kwargs
