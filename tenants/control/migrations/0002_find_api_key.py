"""The one look-up that happens before a tenant is known.

The function belongs to the owner, to whom FORCE row-level security applies as to everybody, so a policy lets that
role (which cannot sign in) read keys. The application role may only ask for one key by its id.
"""

from django.db import migrations

FUNCTION = """
CREATE POLICY control_apikey_lookup ON control_apikey FOR SELECT TO lepton_owner USING (true);

CREATE FUNCTION app.find_api_key(key_id text)
RETURNS TABLE (
    secret_hmac bytea, scopes text[], cidrs text[], expires_at timestamptz, tenant_id uuid, tenant_slug text,
    region text, vertical text, plan text, status text
)
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.secret_hmac, k.scopes::text[], k.cidrs::text[], k.expires_at, t.id, t.slug::text,
           t.region_id::text, t.vertical::text, t.plan::text, t.status::text
    FROM public.control_apikey k JOIN public.control_tenant t ON t.id = k.tenant_id
    WHERE k.id = find_api_key.key_id AND k.revoked_at IS NULL
$$;

REVOKE ALL ON FUNCTION app.find_api_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_api_key(text) TO lepton_app;
"""


class Migration(migrations.Migration):
    dependencies = [("control", "0001_initial")]

    operations = [
        migrations.RunSQL(
            FUNCTION,
            "DROP FUNCTION app.find_api_key(text); DROP POLICY control_apikey_lookup ON control_apikey;",
        )
    ]
