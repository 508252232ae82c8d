import django.utils.timezone
from django.db import migrations, models

import tenants.keys.fields
import tenants.rls


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        tenants.rls.install_functions(),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField(default=tenants.keys.fields.generate_id, editable=False)),
                ("at", models.DateTimeField()),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor_id", models.CharField(max_length=200)),
                ("verb", models.CharField(max_length=80)),
                ("subject", models.CharField(max_length=200)),
                ("facts", models.JSONField(default=dict)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.TenantPolicy(name="keys_auditentry_policy"),
                    tenants.rls.AppendOnly(name="keys_auditentry_append"),
                ],
            },
        ),
        migrations.CreateModel(
            name="PurposeKey",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField(default=tenants.keys.fields.generate_id, editable=False)),
                ("key_id", models.PositiveIntegerField()),
                ("purpose", models.CharField(max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("active", "Active"),
                            ("retired", "Retired"),
                            ("destroyed", "Destroyed"),
                        ],
                        max_length=10,
                    ),
                ),
                ("kek_version", models.PositiveIntegerField()),
                ("wrapped", models.BinaryField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("promoted_at", models.DateTimeField(null=True)),
                ("retired_at", models.DateTimeField(null=True)),
                ("destroyed_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.TenantPolicy(name="keys_purposekey_policy"),
                    models.UniqueConstraint(fields=("tenant_id", "key_id"), name="keys_purposekey_key_id"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "active")),
                        fields=("tenant_id", "purpose"),
                        name="keys_purposekey_one_active",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "pending")),
                        fields=("tenant_id", "purpose"),
                        name="keys_purposekey_one_pending",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "destroyed"), ("wrapped", b"")),
                            models.Q(("state", "destroyed"), _negated=True),
                            _connector="OR",
                        ),
                        name="keys_purposekey_destroyed_is_empty",
                    ),
                    tenants.rls.CompositeForeignKey(
                        columns=("tenant_id", "kek_version"),
                        name="keys_purposekey_kek",
                        to_columns=("tenant_id", "version"),
                        to_table="keys_tenantkey",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ShredCertificate",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField(default=tenants.keys.fields.generate_id, editable=False)),
                ("body", models.BinaryField()),
                ("signature", models.BinaryField()),
                ("signer", models.CharField(max_length=16)),
                ("issued_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.TenantPolicy(name="keys_shredcertificate_policy"),
                    tenants.rls.AppendOnly(name="keys_shredcertificate_append"),
                    models.UniqueConstraint(fields=("tenant_id",), name="keys_shredcertificate_tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TenantKey",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField(default=tenants.keys.fields.generate_id, editable=False)),
                ("version", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("active", "Active"),
                            ("retired", "Retired"),
                            ("destroyed", "Destroyed"),
                        ],
                        max_length=10,
                    ),
                ),
                ("wrapped", models.BinaryField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("wrapped_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("destroyed_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.TenantOrOpsPolicy(name="keys_tenantkey_policy"),
                    models.UniqueConstraint(fields=("tenant_id", "version"), name="keys_tenantkey_version"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "active")),
                        fields=("tenant_id",),
                        name="keys_tenantkey_one_active",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "destroyed"), ("wrapped", b"")),
                            models.Q(("state", "destroyed"), _negated=True),
                            _connector="OR",
                        ),
                        name="keys_tenantkey_destroyed_is_empty",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ErasureLedgerEntry",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "mark", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("mark", models.BinaryField(max_length=32)),
                ("erased_at", models.DateTimeField()),
                ("replayed", models.BooleanField(default=False)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="keys_erasureledgerentry_policy")],
            },
        ),
    ]
