-- Once for each PostgreSQL cluster, as a superuser:  psql -f roles.sql
-- Then set the two passwords with \password lepton_migrate and \password lepton_app.
--
-- lepton_owner    owns everything, cannot sign in
-- lepton_migrate  runs `manage.py migrate_all` and nothing else; BYPASSRLS because FORCE binds the owner too
-- lepton_app      web, workers and commands: owns nothing, bypasses nothing

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['lepton_owner', 'lepton_migrate', 'lepton_app'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I', wanted);
        END IF;
    END LOOP;
END $$;

ALTER ROLE lepton_owner NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
ALTER ROLE lepton_migrate LOGIN NOSUPERUSER BYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
ALTER ROLE lepton_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
GRANT lepton_owner TO lepton_migrate;

-- The signed claim must not be readable in pg_stat_activity by another backend of the same role.
ALTER ROLE lepton_app SET track_activities = off;

-- A plan that one claim made must not serve a statement without a claim: planning is where its absence is noticed.
ALTER ROLE lepton_app SET plan_cache_mode = force_custom_plan;
