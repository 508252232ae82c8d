"""Policies and privileges, read from the system catalogue of PostgreSQL and not from the models."""

from __future__ import annotations

import pytest
from django.conf import settings

from tests.isolation.pg_catalog import (
    ALIASES,
    IN_APPLICATION_SCHEMA,
    REGIONS,
    WITH_TENANT,
    fetch_rows,
    query_databases,
)

RELATIONS = f"SELECT oid::regclass::text FROM pg_class WHERE oid IN ({WITH_TENANT})"
# Exactly one policy for all roles and commands: a second permissive policy would widen access.
UNPROTECTED_RELATIONS = f"""
SELECT c.oid::regclass::text FROM pg_class c WHERE c.oid IN ({WITH_TENANT}) AND NOT (
    c.relrowsecurity AND c.relforcerowsecurity
    AND (SELECT count(*) = 1 AND bool_and((
            p.polcmd = '*' AND p.polpermissive
            AND pg_get_expr(p.polqual, p.polrelid) LIKE '%tenant_id = ( SELECT app.%'
            AND pg_get_expr(p.polqual, p.polrelid) LIKE '%app.require_claim()%'
            AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '%tenant_id = ( SELECT app.%') IS TRUE)
        FROM pg_policy p WHERE p.polrelid = c.oid AND p.polroles && ARRAY[0, 'lepton_app'::regrole::oid]))
"""
# The key look-up of the control plane runs as the owner role, which cannot log in.
POLICIES_OF_OTHER_ROLES = """
SELECT polname, polroles::regrole[]::text FROM pg_policy WHERE NOT polroles && ARRAY[0, 'lepton_app'::regrole::oid]
"""
ROLES = """
WITH RECURSIVE closure AS (
    SELECT oid FROM pg_roles WHERE rolname = current_user
    UNION SELECT m.roleid FROM pg_auth_members m JOIN closure c ON m.member = c.oid
)
SELECT r.rolname, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
FROM pg_roles r JOIN closure USING (oid)
"""
OWNED_OBJECTS = """
SELECT classid::regclass::text, objid FROM pg_shdepend
WHERE deptype = 'o' AND refclassid = 'pg_authid'::regclass AND refobjid = 'lepton_app'::regrole
"""
EXCESS_PRIVILEGES = f"""
SELECT c.oid::regclass::text, privilege FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
       unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) privilege
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {IN_APPLICATION_SCHEMA} AND has_table_privilege(c.oid, privilege)
UNION ALL
SELECT c.oid::regclass::text, privilege FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
       unnest(ARRAY['SELECT', 'UPDATE']) privilege
WHERE c.relkind = 'S' AND {IN_APPLICATION_SCHEMA} AND n.nspname <> 'public' AND has_sequence_privilege(c.oid, privilege)
UNION ALL
SELECT n.nspname, 'CREATE' FROM pg_namespace n WHERE has_schema_privilege(n.oid, 'CREATE')
UNION ALL
SELECT d.datname, privilege FROM pg_database d, unnest(ARRAY['CREATE', 'TEMP']) privilege
WHERE d.datname = current_database() AND has_database_privilege(d.oid, privilege)
UNION ALL
SELECT 'app.scope_secret', privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege
WHERE has_table_privilege('app.scope_secret', privilege)
UNION ALL
SELECT p.oid::regprocedure::text, 'EXECUTE' FROM pg_proc p
WHERE p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea') AND has_function_privilege(p.oid, 'EXECUTE')
"""
PUBLIC_GRANTS = f"""
SELECT c.oid::regclass::text, a.privilege_type FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
       aclexplode(c.relacl) a WHERE {IN_APPLICATION_SCHEMA} AND a.grantee = 0
UNION ALL
SELECT p.oid::regprocedure::text, a.privilege_type FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
       aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE {IN_APPLICATION_SCHEMA} AND a.grantee = 0
UNION ALL
SELECT n.nspname, a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a WHERE {IN_APPLICATION_SCHEMA} AND a.grantee = 0
UNION ALL
SELECT datname, a.privilege_type FROM pg_database,
       aclexplode(coalesce(datacl, acldefault('d', datdba))) a WHERE datname = current_database() AND a.grantee = 0
"""
VIEWS = f"""
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm', 'f') AND {IN_APPLICATION_SCHEMA}
UNION ALL
SELECT rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {IN_APPLICATION_SCHEMA}
UNION ALL SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'
"""
DEFINER_FUNCTIONS = """
SELECT p.oid::regprocedure::text, p.proconfig::text, has_function_privilege(p.oid, 'EXECUTE'), p.proowner::regrole::text
FROM pg_proc p WHERE p.prosecdef ORDER BY 1
"""
_PINNED_SEARCH_PATH = '{"search_path=pg_catalog, pg_temp"}'
_EXPECTED_FUNCTIONS = {
    ("app.claim()", _PINNED_SEARCH_PATH, False, "lepton_owner"),
    ("app.current_tenant()", _PINNED_SEARCH_PATH, True, "lepton_owner"),
    ("app.is_ops()", _PINNED_SEARCH_PATH, True, "lepton_owner"),
    ("app.scoped_tenant()", _PINNED_SEARCH_PATH, True, "lepton_owner"),
    ("app.scoped_user()", _PINNED_SEARCH_PATH, True, "lepton_owner"),
}
_KEY_LOOKUP_FUNCTION = ("app.find_api_key(text)", _PINNED_SEARCH_PATH, True, "lepton_owner")

pytestmark = [pytest.mark.proof(row=2), pytest.mark.usefixtures("services")]


def test_every_tenant_relation_has_a_forced_policy(figure):
    relations, unprotected = query_databases(RELATIONS), query_databases(UNPROTECTED_RELATIONS)
    assert {alias for alias, _ in relations} == set(ALIASES)
    assert figure(
        "relations without forced policy for reads and writes",
        len(unprotected),
        of=len(relations),
        passes=not unprotected,
    ), unprotected


def test_no_unexpected_policy_applies_to_another_role(figure):
    policies = query_databases(POLICIES_OF_OTHER_ROLES)
    expected = [("default", "control_apikey_lookup", "{lepton_owner}")]
    assert figure(
        "policies for other roles than the application's", len(policies), passes=policies == expected
    ), policies


def test_the_application_role_has_no_special_attributes(figure):
    roles = query_databases(ROLES)
    special = [row for row in roles if row[1:] != ("lepton_app", False)]
    assert figure(
        "roles above the application's, or rights of its own",
        len(special),
        of=len(ALIASES),
        passes=not special,
    ), special
    assert len(roles) == len(ALIASES)


def test_the_application_role_owns_nothing(figure):
    owned = query_databases(OWNED_OBJECTS, ["default"])
    assert figure("objects of any kind owned by the application's role", len(owned), passes=not owned), owned


def test_the_application_role_has_no_excess_privileges(figure):
    rights = query_databases(EXCESS_PRIVILEGES)
    assert figure(
        "rights to truncate, refer, trigger, create or make temporary tables", len(rights), passes=not rights
    ), rights


def test_nothing_is_granted_to_public(figure):
    granted = query_databases(PUBLIC_GRANTS)
    assert figure("grants to PUBLIC", len(granted), passes=not granted), granted


def test_no_database_has_a_view_rule_or_extension(figure):
    actual = query_databases(VIEWS)
    assert figure("views, foreign tables, rules and extensions", len(actual), passes=not actual), actual


def test_only_the_expected_definer_functions_exist(figure):
    actual = set(query_databases(DEFINER_FUNCTIONS))
    expected = {(alias, *row) for alias in ALIASES for row in _EXPECTED_FUNCTIONS} | {
        ("default", *_KEY_LOOKUP_FUNCTION)
    }
    assert figure(
        "SECURITY DEFINER functions beside the known ones, unpinned or callable by more",
        len(actual ^ expected),
        of=len(expected),
        passes=actual == expected,
    ), actual ^ expected


PROTECT = (
    "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON {0} "
    "USING (tenant_id = (SELECT app.current_tenant()) AND (live OR tenant_id = app.require_claim())) "
    "WITH CHECK (tenant_id = (SELECT app.current_tenant()));"
)
UNPROTECTED_TABLES = {
    "an open table": "CREATE TABLE hole (tenant_id uuid)",
    "an open partition": "CREATE TABLE hole_parent (tenant_id uuid, live bool) PARTITION BY HASH (tenant_id);"
    + PROTECT.format("hole_parent")
    + "CREATE TABLE hole PARTITION OF hole_parent FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    "an open child": "CREATE TABLE hole () INHERITS (data_item)",
    "a table in another schema": "CREATE SCHEMA side; CREATE TABLE side.hole (tenant_id uuid)",
    "a second door": "CREATE TABLE hole (tenant_id uuid, live bool);"
    + PROTECT.format("hole")
    + "CREATE POLICY also ON hole FOR SELECT USING (true)",
    "a policy without a check": "CREATE TABLE hole (tenant_id uuid); ALTER TABLE hole ENABLE ROW LEVEL SECURITY, "
    "FORCE ROW LEVEL SECURITY; CREATE POLICY own ON hole USING (tenant_id = (SELECT app.current_tenant()) "
    "AND (tenant_id IS NULL OR tenant_id = app.require_claim()))",
    "a policy for reads only": "CREATE TABLE hole (tenant_id uuid); ALTER TABLE hole ENABLE ROW LEVEL SECURITY, "
    "FORCE ROW LEVEL SECURITY; CREATE POLICY own ON hole FOR SELECT USING (tenant_id = (SELECT app.current_tenant()))",
}


@pytest.mark.parametrize("table_kind", UNPROTECTED_TABLES)
def test_the_query_detects_an_unprotected_table(superuser, table_kind):
    database = superuser("data_eu")
    with database.transaction(force_rollback=True), database.cursor() as cursor:
        cursor.execute(UNPROTECTED_TABLES[table_kind])
        assert [name.removeprefix("side.") for (name,) in fetch_rows(cursor, UNPROTECTED_RELATIONS)] == [
            "hole"
        ]


PRIVILEGE_CHANGES = [
    (ROLES, "GRANT pg_read_all_data TO lepton_app"),
    (ROLES, "ALTER ROLE lepton_app BYPASSRLS"),
    (OWNED_OBJECTS, "ALTER SEQUENCE data_timeline_seq OWNER TO lepton_app"),
    (EXCESS_PRIVILEGES, "GRANT TRUNCATE ON data_item TO lepton_app"),
    (EXCESS_PRIVILEGES, "GRANT CREATE ON SCHEMA app TO lepton_app"),
    (EXCESS_PRIVILEGES, "GRANT TEMP ON DATABASE lepton_data_eu TO PUBLIC"),
    (EXCESS_PRIVILEGES, "GRANT SELECT ON app.scope_secret TO lepton_app"),
    (EXCESS_PRIVILEGES, "GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC"),
    (PUBLIC_GRANTS, "GRANT SELECT ON data_item TO PUBLIC"),
    (PUBLIC_GRANTS, "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql RETURN 1"),
    (VIEWS, "CREATE VIEW every_item AS SELECT * FROM data_item"),
    (VIEWS, "CREATE MATERIALIZED VIEW every_item AS SELECT * FROM data_item"),
    (DEFINER_FUNCTIONS, "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1"),
    (DEFINER_FUNCTIONS, "ALTER FUNCTION app.is_ops() RESET search_path"),
    (DEFINER_FUNCTIONS, "GRANT EXECUTE ON FUNCTION app.claim() TO lepton_app"),
]


@pytest.mark.parametrize(
    ("query", "change"), PRIVILEGE_CHANGES, ids=[change for _, change in PRIVILEGE_CHANGES]
)
def test_the_query_detects_an_excess_privilege(superuser, query, change):
    database = superuser("data_eu")
    with database.transaction(force_rollback=True), database.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE lepton_app")
        before = fetch_rows(cursor, query)
        cursor.execute(f"RESET ROLE; {change}; SET LOCAL ROLE lepton_app")
        assert set(fetch_rows(cursor, query)) - set(before)


def test_every_configured_region_is_queried():
    assert set(settings.LEPTON_REGIONS) == set(REGIONS)
