"""Defects of the locks: policies, claims, rights of the application's role, keys that tenants share."""

from __future__ import annotations

from tests.defects.seeds import Seed

_RLS, _SCOPE = "tenants/rls.py", "tenants/scope.py"
_CLAIM_FUNCTIONS = "tenants/claim_functions.py"
_POLICIES, _FORGED = "tests/isolation/test_policies.py", "tests/isolation/test_forged_scope.py"
_INJECTED, _MISSING = "tests/isolation/test_injected_sql.py", "tests/isolation/test_missing_scope.py"
_SIDE, _LEAK = "tests/isolation/test_side_channels.py", "tests/isolation/test_pool_leak.py"

_EVERYWHERE = """class _Everywhere:
    now: Any = ()

    def get(self) -> Any:
        return self.now

    def set(self, new: Any) -> Any:
        old, self.now = self.now, new
        return old

    def reset(self, old: Any) -> None:
        self.now = old


_open_scopes: Any = _Everywhere()
"""
_NESTED = """    if any(opened.alias == new_scope.alias for opened in list_open_scopes()):
        raise ScopeNested(f"A scope on {new_scope.alias} is open; finish it first.")
    connection = connections[new_scope.alias]
    _drop_lost_connection(connection)
    if connection.in_atomic_block:
        raise ScopeNested(f"A transaction on {new_scope.alias} is open; a scope is the outermost block.")
    with translate_database_errors():
        raw = get_live_connection(connection)
        with transaction.atomic(using=new_scope.alias, durable=True):
"""

LOCK_SEEDS = (
    Seed("a policy guards reads alone", _RLS, " WITH CHECK ({self.write_condition})", "", _POLICIES),
    Seed(
        "a statement that looks at no row needs no claim",
        _RLS,
        "_CLAIM_CHECK = f\"(tenant_id IS DISTINCT FROM '{UUID(int=0)}' OR tenant_id = app.require_claim())\"",
        '_CLAIM_CHECK = "true"',
        _MISSING,
    ),
    Seed(
        "a prepared statement keeps its first plan",
        "deploy/postgres/roles.sql",
        "SET plan_cache_mode = force_custom_plan",
        "SET plan_cache_mode = auto",
        _MISSING,
    ),
    Seed(
        "what is frequent is prepared",
        "lepton_platform/settings.py",
        "_NEVER_PREPARE = 2**31 - 1",
        "_NEVER_PREPARE = 5",
        _MISSING,
    ),
    Seed(
        "a statement without parameters is prepared",
        "tenants/data/actions/events.py",
        "        seq.execute(NEXT_SEQ)",
        "        seq.execute(NEXT_SEQ, prepare=True)",
        _MISSING,
    ),
    Seed(
        "a plan that no longer holds is an error of the server",
        "tenants/connections.py",
        'in ("RevalidateCachedQuery", "FetchPreparedStatement")',
        "in ()",
        "tests/platform/test_pool.py",
    ),
    Seed(
        "the end of a claim counts for rows only",
        _CLAIM_FUNCTIONS,
        "    IF split_part(raw, '|', 2)::bigint < extract(epoch FROM statement_timestamp()) THEN",
        "    IF false THEN",
        _MISSING,
    ),
    Seed(
        "a claim never ends",
        _CLAIM_FUNCTIONS,
        "    IF split_part(body, '|', 2)::bigint < extract(epoch FROM statement_timestamp()) THEN",
        "    IF false THEN",
        _FORGED,
    ),
    Seed(
        "a claim for operations opens tenants' tables",
        _RLS,
        'condition = "tenant_id = (SELECT app.current_tenant())"',
        'condition = "(SELECT app.is_ops()) OR tenant_id = (SELECT app.scoped_tenant())"',
        _FORGED,
    ),
    Seed(
        "any claim is an operator's",
        _CLAIM_FUNCTIONS,
        "RETURN app.claim() LIKE 'ops:%';",
        "RETURN app.claim() IS NOT NULL;",
        _FORGED,
    ),
    Seed(
        "a claim for a region's data opens its keys",
        "tenants/regions.py",
        'hmac.digest(configured, alias.encode(), "sha256")',
        "bytes(configured)",
        _FORGED,
    ),
    Seed(
        "a function of the claim follows the caller's search path",
        _CLAIM_FUNCTIONS,
        "app.is_ops() RETURNS boolean\nLANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp",
        "app.is_ops() RETURNS boolean\nLANGUAGE plpgsql STABLE SECURITY DEFINER",
        _POLICIES,
    ),
    Seed(
        "everybody may ask for the claim",
        _CLAIM_FUNCTIONS,
        "REVOKE ALL ON FUNCTION app.claim(), app.require_claim() FROM PUBLIC;",
        "GRANT EXECUTE ON FUNCTION app.claim() TO PUBLIC;",
        _POLICIES,
    ),
    Seed(
        "the application reads what signs claims",
        _CLAIM_FUNCTIONS,
        "REVOKE ALL ON app.scope_secret FROM PUBLIC, lepton_app;",
        "GRANT SELECT ON app.scope_secret TO lepton_app;",
        _INJECTED,
    ),
    Seed(
        "the application may empty tables",
        "deploy/postgres/database.sql",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES",
        "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLES",
        _INJECTED,
    ),
    Seed(
        "the application may make temporary tables",
        "deploy/postgres/database.sql",
        "GRANT CONNECT ON DATABASE",
        "GRANT CONNECT, TEMP ON DATABASE",
        _POLICIES,
    ),
    Seed(
        "the application owns large objects",
        "deploy/postgres/database.sql",
        "pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid), pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;",
        "pg_catalog.lo_creat(integer) FROM PUBLIC;",
        _POLICIES,
    ),
    Seed(
        "a foreign key starts with the row",
        _RLS,
        """FOREIGN KEY ({', '.join(self.columns)}) "
            f'REFERENCES "{self.to_table}" ({", ".join(self.to_columns)})""",
        """FOREIGN KEY ({', '.join(self.columns[::-1])}) "
            f'REFERENCES "{self.to_table}" ({", ".join(self.to_columns[::-1])})""",
        _SIDE,
    ),
    Seed(
        "an item's key is unique among all tenants",
        "tenants/data/migrations/0001_initial.py",
        'models.UniqueConstraint(fields=("tenant_id", "item_key"), name="data_item_key")',
        'models.UniqueConstraint(fields=("item_key",), name="data_item_key")',
        _SIDE,
    ),
    Seed(
        "a claim is bound to the session",
        _SCOPE,
        "set_config('app.scope', %s, true)",
        "set_config('app.scope', %s, false)",
        _LEAK,
    ),
    Seed(
        "a scope that fails is not forgotten",
        _SCOPE,
        "    finally:\n        new_scope.state.is_closed = True\n        _reset_scopes(reset_token, raw)\n",
        "    except ScopeRequired:\n        raise\n    else:\n"
        "        new_scope.state.is_closed = True\n        _reset_scopes(reset_token, raw)\n",
        _LEAK,
    ),
    Seed(
        "a scope that another thread ends lives on",
        _SCOPE,
        '        raw.close()\n        raise ScopeNested("A scope ended outside',
        '        raise ScopeNested("A scope ended outside',
        "tests/platform/test_pool.py",
    ),
    Seed(
        "a scope that another thread ends blocks its own",
        _SCOPE,
        "    _drop_lost_connection(connection)\n",
        "",
        "tests/platform/test_pool.py",
    ),
    Seed(
        "a thread inherits the scope of another",
        _SCOPE,
        '_open_scopes: ContextVar[tuple[Scope, ...]] = ContextVar("lepton_open_scopes", default=())\n',
        _EVERYWHERE,
        _MISSING,
    ),
    Seed(
        "a scope opens inside another",
        _SCOPE,
        _NESTED,
        """    connection = connections[new_scope.alias]
    with translate_database_errors():
        raw = get_live_connection(connection)
        with transaction.atomic(using=new_scope.alias):
""",
        _MISSING,
    ),
)
