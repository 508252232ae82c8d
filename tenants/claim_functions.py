"""The SQL functions that verify a signed claim. Policies call them; migrations install them (`tenants.rls`).

`app.scope` is the signed claim of the transaction (fields: see `tenants.scope`). `app.scope_secret` holds the HMAC pads of
the signing keys; the functions are SECURITY DEFINER, so the application role can't read it.
"""

from __future__ import annotations

CLAIM_FUNCTIONS = """
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

-- Returns NULL. The planner calls it once per statement, so it checks form and expiry of the claim, not the signature.
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
