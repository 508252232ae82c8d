import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import tenants.control.fields
import tenants.rls

# The one look-up that happens before a tenant is known.
# The function belongs to the owner, to whom FORCE row-level security applies as to everybody, so a policy lets that
# role (which cannot sign in) read keys. The application role may only ask for one key by its id.
FIND_API_KEY = """
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
DROP_FIND_API_KEY = (
    "DROP FUNCTION app.find_api_key(text); DROP POLICY control_apikey_lookup ON control_apikey;"
)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        tenants.rls.install_functions(),
        migrations.CreateModel(
            name="Region",
            fields=[
                (
                    "code",
                    models.CharField(max_length=16, primary_key=True, serialize=False, verbose_name="code"),
                ),
                ("name_en", models.CharField(max_length=80, verbose_name="name (English)")),
                ("name_zh", models.CharField(max_length=80, verbose_name="name (Chinese)")),
                ("jurisdiction", models.CharField(blank=True, max_length=200, verbose_name="jurisdiction")),
                ("active", models.BooleanField(default=True, verbose_name="active")),
            ],
            options={
                "verbose_name": "region",
                "verbose_name_plural": "regions",
                "ordering": ["code"],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "id",
                    models.UUIDField(
                        default=tenants.control.fields.generate_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "email",
                    tenants.control.fields.LowercaseEmailField(
                        max_length=254, unique=True, verbose_name="e-mail"
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=120, verbose_name="name")),
                ("language", models.CharField(default="en", max_length=16, verbose_name="language")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("is_staff", models.BooleanField(default=False, verbose_name="platform staff")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "ordering": ["email"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                        name="control_user_email_lower_case",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=tenants.control.fields.generate_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("tenant_id", models.UUIDField(editable=False, null=True, verbose_name="tenant")),
                ("at", models.DateTimeField(editable=False, verbose_name="when")),
                ("actor_kind", models.CharField(editable=False, max_length=16, verbose_name="kind of actor")),
                ("actor_id", models.CharField(editable=False, max_length=200, verbose_name="actor")),
                ("verb", models.CharField(editable=False, max_length=80, verbose_name="what")),
                ("subject", models.CharField(editable=False, max_length=200, verbose_name="subject")),
                ("facts", models.JSONField(default=dict, editable=False, verbose_name="facts")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "ordering": ["-at", "-id"],
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["tenant_id", "-at"], name="control_audit_by_tenant")],
                "constraints": [
                    tenants.rls.TenantOrOpsPolicy(name="control_auditentry_policy"),
                    tenants.rls.AppendOnly(name="control_auditentry_append_only"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Tenant",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=tenants.control.fields.generate_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("slug", models.CharField(max_length=63, unique=True, verbose_name="address name")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                (
                    "vertical",
                    models.CharField(
                        choices=[
                            ("ecommerce", "E-commerce"),
                            ("content", "Content"),
                            ("ads", "Advertising"),
                            ("finance", "Finance"),
                            ("education", "Education"),
                            ("medical", "Medical"),
                        ],
                        max_length=16,
                        verbose_name="industry",
                    ),
                ),
                (
                    "plan",
                    models.CharField(
                        choices=[("free", "Free"), ("growth", "Growth"), ("enterprise", "Enterprise")],
                        default="free",
                        max_length=16,
                        verbose_name="plan",
                    ),
                ),
                ("language", models.CharField(default="en", max_length=16, verbose_name="language")),
                ("currency", models.CharField(max_length=3, verbose_name="currency")),
                ("time_zone", models.CharField(max_length=64, verbose_name="time zone")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("opening", "Being set up"),
                            ("active", "Active"),
                            ("suspended", "Suspended"),
                        ],
                        default="opening",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "region",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tenants",
                        to="control.region",
                        verbose_name="region",
                    ),
                ),
            ],
            options={
                "verbose_name": "tenant",
                "verbose_name_plural": "tenants",
                "ordering": ["slug"],
            },
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=tenants.control.fields.generate_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner"),
                            ("editor", "Editor"),
                            ("analyst", "Analyst"),
                            ("viewer", "Viewer"),
                        ],
                        max_length=16,
                        verbose_name="role",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="members",
                        to="control.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "member",
                "verbose_name_plural": "members",
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.CharField(editable=False, max_length=22, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("secret_hmac", models.BinaryField(max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), size=None, verbose_name="scopes"
                    ),
                ),
                (
                    "cidrs",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=43),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="networks",
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires")),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="revoked")),
                ("last_used_at", models.DateTimeField(blank=True, null=True, verbose_name="last used")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "replaced_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="replaces",
                        to="control.apikey",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to="control.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "base_manager_name": "objects",
            },
        ),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("vertical__in", ["ecommerce", "content", "ads", "finance", "education", "medical"])
                ),
                name="control_tenant_vertical_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["opening", "active", "suspended"])),
                name="control_tenant_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.CheckConstraint(
                condition=models.Q(("slug__regex", "^[a-z][a-z0-9-]{1,61}[a-z0-9]$")),
                name="control_tenant_slug_shape",
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=tenants.rls.MembershipPolicy(name="control_member_policy"),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.UniqueConstraint(fields=("tenant", "user"), name="control_member_once"),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["owner", "editor", "analyst", "viewer"])),
                name="control_member_role_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=tenants.rls.TenantOrOpsPolicy(name="control_apikey_policy"),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("scopes__len__gt", 0)), name="control_apikey_has_scopes"
            ),
        ),
        migrations.RunSQL(FIND_API_KEY, DROP_FIND_API_KEY),
    ]
