"""The catalogue of PostgreSQL, not the models, says whether every tenant table is locked and who may do what."""

from __future__ import annotations

import pytest
from django.conf import settings

from tests.isolation.catalogue import ALIASES, OURS, REGIONS, WITH_TENANT, everywhere, rows

RELATIONS = f"SELECT oid::regclass::text FROM pg_class WHERE oid IN ({WITH_TENANT})"
# One policy for everybody and every command: a second permissive one would be a second door.
UNLOCKED = f"""
SELECT c.oid::regclass::text FROM pg_class c WHERE c.oid IN ({WITH_TENANT}) AND NOT (
    c.relrowsecurity AND c.relforcerowsecurity
    AND (SELECT count(*) = 1 AND bool_and((
            p.polcmd = '*' AND p.polpermissive
            AND pg_get_expr(p.polqual, p.polrelid) LIKE '%tenant_id = ( SELECT app.%'
            AND pg_get_expr(p.polqual, p.polrelid) LIKE '%app.require_claim()%'
            AND pg_get_expr(p.polwithcheck, p.polrelid) LIKE '%tenant_id = ( SELECT app.%') IS TRUE)
        FROM pg_policy p WHERE p.polrelid = c.oid AND p.polroles && ARRAY[0, 'lepton_app'::regrole::oid]))
"""
# The control plane's look-up of a key runs as the owner, who cannot sign in.
OTHER_POLICIES = """
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
OWNED = """
SELECT classid::regclass::text, objid FROM pg_shdepend
WHERE deptype = 'o' AND refclassid = 'pg_authid'::regclass AND refobjid = 'lepton_app'::regrole
"""
TOO_MUCH = f"""
SELECT c.oid::regclass::text, privilege FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
       unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) privilege
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {OURS} AND has_table_privilege(c.oid, privilege)
UNION ALL
SELECT c.oid::regclass::text, privilege FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
       unnest(ARRAY['SELECT', 'UPDATE']) privilege
WHERE c.relkind = 'S' AND {OURS} AND n.nspname <> 'public' AND has_sequence_privilege(c.oid, privilege)
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
PUBLIC = f"""
SELECT c.oid::regclass::text, a.privilege_type FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
       aclexplode(c.relacl) a WHERE {OURS} AND a.grantee = 0
UNION ALL
SELECT p.oid::regprocedure::text, a.privilege_type FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
       aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE {OURS} AND a.grantee = 0
UNION ALL
SELECT n.nspname, a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a WHERE {OURS} AND a.grantee = 0
UNION ALL
SELECT datname, a.privilege_type FROM pg_database,
       aclexplode(coalesce(datacl, acldefault('d', datdba))) a WHERE datname = current_database() AND a.grantee = 0
"""
VIEWS = f"""
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm', 'f') AND {OURS}
UNION ALL
SELECT rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {OURS}
UNION ALL SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'
"""
DEFINERS = """
SELECT p.oid::regprocedure::text, p.proconfig::text, has_function_privilege(p.oid, 'EXECUTE'), p.proowner::regrole::text
FROM pg_proc p WHERE p.prosecdef ORDER BY 1
"""
_PINNED = '{"search_path=pg_catalog, pg_temp"}'
_FUNCTIONS = {
    ("app.claim()", _PINNED, False, "lepton_owner"),
    ("app.current_tenant()", _PINNED, True, "lepton_owner"),
    ("app.is_ops()", _PINNED, True, "lepton_owner"),
    ("app.scoped_tenant()", _PINNED, True, "lepton_owner"),
    ("app.scoped_user()", _PINNED, True, "lepton_owner"),
}
_LOOK_UP = ("app.find_api_key(text)", _PINNED, True, "lepton_owner")

pytestmark = [pytest.mark.proof(row=2), pytest.mark.usefixtures("services")]


def test_every_relation_with_a_tenant_is_locked(figure):
    relations, unlocked = everywhere(RELATIONS), everywhere(UNLOCKED)
    assert {alias for alias, _ in relations} == set(ALIASES)
    assert figure(
        "relations without forced policy for reads and writes",
        len(unlocked),
        of=len(relations),
        passes=not unlocked,
    ), unlocked


def test_no_policy_serves_another_role(figure):
    other = everywhere(OTHER_POLICIES)
    expected = [("default", "control_apikey_lookup", "{lepton_owner}")]
    assert figure("policies for other roles than the application's", len(other), passes=other == expected), (
        other
    )


def test_the_application_role_is_nobody_special(figure):
    roles = everywhere(ROLES)
    special = [row for row in roles if row[1:] != ("lepton_app", False)]
    assert figure(
        "roles above the application's, or rights of its own",
        len(special),
        of=len(ALIASES),
        passes=not special,
    ), special
    assert len(roles) == len(ALIASES)


def test_the_application_role_owns_nothing(figure):
    owned = everywhere(OWNED, ["default"])
    assert figure("objects of any kind owned by the application's role", len(owned), passes=not owned), owned


def test_the_application_role_has_no_right_it_does_not_need(figure):
    rights = everywhere(TOO_MUCH)
    assert figure(
        "rights to truncate, refer, trigger, create or make temporary tables", len(rights), passes=not rights
    ), rights


def test_nothing_is_granted_to_everybody(figure):
    granted = everywhere(PUBLIC)
    assert figure("grants to PUBLIC", len(granted), passes=not granted), granted


def test_no_view_rule_or_extension_stands_in_a_database(figure):
    entries = everywhere(VIEWS)
    assert figure("views, foreign tables, rules and extensions", len(entries), passes=not entries), entries


def test_the_definer_functions_are_the_known_ones(figure):
    entries = set(everywhere(DEFINERS))
    expected = {(alias, *row) for alias in ALIASES for row in _FUNCTIONS} | {("default", *_LOOK_UP)}
    assert figure(
        "SECURITY DEFINER functions beside the known ones, unpinned or callable by more",
        len(entries ^ expected),
        of=len(expected),
        passes=entries == expected,
    ), entries ^ expected


LOCK = (
    "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON {0} "
    "USING (tenant_id = (SELECT app.current_tenant()) AND (live OR tenant_id = app.require_claim())) "
    "WITH CHECK (tenant_id = (SELECT app.current_tenant()));"
)
HOLES = {
    "an open table": "CREATE TABLE hole (tenant_id uuid)",
    "an open partition": "CREATE TABLE hole_parent (tenant_id uuid, live bool) PARTITION BY HASH (tenant_id);"
    + LOCK.format("hole_parent")
    + "CREATE TABLE hole PARTITION OF hole_parent FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    "an open child": "CREATE TABLE hole () INHERITS (data_item)",
    "a table in another schema": "CREATE SCHEMA side; CREATE TABLE side.hole (tenant_id uuid)",
    "a second door": "CREATE TABLE hole (tenant_id uuid, live bool);"
    + LOCK.format("hole")
    + "CREATE POLICY also ON hole FOR SELECT USING (true)",
    "a policy without a check": "CREATE TABLE hole (tenant_id uuid); ALTER TABLE hole ENABLE ROW LEVEL SECURITY, "
    "FORCE ROW LEVEL SECURITY; CREATE POLICY own ON hole USING (tenant_id = (SELECT app.current_tenant()) "
    "AND (tenant_id IS NULL OR tenant_id = app.require_claim()))",
    "a policy for reads only": "CREATE TABLE hole (tenant_id uuid); ALTER TABLE hole ENABLE ROW LEVEL SECURITY, "
    "FORCE ROW LEVEL SECURITY; CREATE POLICY own ON hole FOR SELECT USING (tenant_id = (SELECT app.current_tenant()))",
}


@pytest.mark.parametrize("hole", HOLES)
def test_the_reader_sees_a_hole(superuser, hole):
    database = superuser("data_eu")
    with database.transaction(force_rollback=True), database.cursor() as cursor:
        cursor.execute(HOLES[hole])
        assert [name.removeprefix("side.") for (name,) in rows(cursor, UNLOCKED)] == ["hole"]


SABOTAGE = [
    (ROLES, "GRANT pg_read_all_data TO lepton_app"),
    (ROLES, "ALTER ROLE lepton_app BYPASSRLS"),
    (OWNED, "ALTER SEQUENCE data_timeline_seq OWNER TO lepton_app"),
    (TOO_MUCH, "GRANT TRUNCATE ON data_item TO lepton_app"),
    (TOO_MUCH, "GRANT CREATE ON SCHEMA app TO lepton_app"),
    (TOO_MUCH, "GRANT TEMP ON DATABASE lepton_data_eu TO PUBLIC"),
    (TOO_MUCH, "GRANT SELECT ON app.scope_secret TO lepton_app"),
    (TOO_MUCH, "GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC"),
    (PUBLIC, "GRANT SELECT ON data_item TO PUBLIC"),
    (PUBLIC, "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql RETURN 1"),
    (VIEWS, "CREATE VIEW every_item AS SELECT * FROM data_item"),
    (VIEWS, "CREATE MATERIALIZED VIEW every_item AS SELECT * FROM data_item"),
    (DEFINERS, "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1"),
    (DEFINERS, "ALTER FUNCTION app.is_ops() RESET search_path"),
    (DEFINERS, "GRANT EXECUTE ON FUNCTION app.claim() TO lepton_app"),
]


@pytest.mark.parametrize(("reader", "change"), SABOTAGE, ids=[change for _, change in SABOTAGE])
def test_the_reader_sees_a_right_too_many(superuser, reader, change):
    database = superuser("data_eu")
    with database.transaction(force_rollback=True), database.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE lepton_app")
        before = rows(cursor, reader)
        cursor.execute(f"RESET ROLE; {change}; SET LOCAL ROLE lepton_app")
        assert set(rows(cursor, reader)) - set(before)


def test_every_configured_region_is_read():
    assert set(settings.LEPTON_REGIONS) == set(REGIONS)
