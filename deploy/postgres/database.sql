-- Once in each database, as a superuser, after roles.sql and CREATE DATABASE ... OWNER lepton_owner:
--   psql -d lepton_control -f database.sql

DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO lepton_migrate, lepton_app', current_database());
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO lepton_app;

ALTER DEFAULT PRIVILEGES FOR ROLE lepton_migrate IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lepton_app;
ALTER DEFAULT PRIVILEGES FOR ROLE lepton_migrate IN SCHEMA public
    GRANT USAGE ON SEQUENCES TO lepton_app;
ALTER DEFAULT PRIVILEGES FOR ROLE lepton_migrate
    REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- A large object belongs to whoever makes it and to no tenant.
REVOKE EXECUTE ON FUNCTION
    pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid), pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
