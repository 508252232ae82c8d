from django.db import migrations, models

import tenants.rls

SEQUENCES = """
CREATE SEQUENCE data_timeline_seq INCREMENT BY 1024;
CREATE SEQUENCE data_counterdelta_id CACHE 32;
"""
DROP_SEQUENCES = "DROP SEQUENCE data_timeline_seq; DROP SEQUENCE data_counterdelta_id;"

# Ciphertext does not compress; and a table that is mostly inserted into would else be vacuumed too late
# for its visibility map.
TIMELINE_STORAGE = """
ALTER TABLE data_timeline ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE data_itemimage ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE data_timeline SET (
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE data_counterdelta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        tenants.rls.install_functions(),
        migrations.RunSQL(SEQUENCES, DROP_SEQUENCES),
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
                ("id", models.UUIDField()),
                ("at", models.DateTimeField()),
                ("actor_kind", models.CharField(max_length=10)),
                ("actor_id", models.CharField(max_length=80)),
                ("verb", models.CharField(max_length=60)),
                ("subject", models.CharField(max_length=120)),
                ("facts", models.JSONField(default=dict)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.TenantPolicy(name="data_auditentry_policy"),
                    tenants.rls.AppendOnly(name="data_auditentry_append"),
                ],
            },
        ),
        migrations.CreateModel(
            name="BatchDigest",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "digest", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("digest", models.BinaryField(max_length=16)),
                ("rejected", models.BinaryField(default=b"")),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_batchdigest_policy")],
            },
        ),
        migrations.CreateModel(
            name="Counter",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "day",
                        "metric",
                        "kind",
                        "scenario",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("metric", models.CharField(max_length=20)),
                ("kind", models.CharField(max_length=40)),
                ("scenario", models.CharField(max_length=60)),
                ("count", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_counter_policy")],
            },
        ),
        migrations.CreateModel(
            name="CounterDelta",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.BigIntegerField()),
                ("day", models.DateField()),
                ("metric", models.CharField(max_length=20)),
                ("kind", models.CharField(max_length=40)),
                ("scenario", models.CharField(max_length=60)),
                ("count", models.BigIntegerField()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_counterdelta_policy")],
            },
        ),
        migrations.CreateModel(
            name="Idempotency",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "key_digest",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("key_digest", models.BinaryField(max_length=16)),
                ("request_digest", models.BinaryField(max_length=16)),
                ("status", models.SmallIntegerField(null=True)),
                ("body", models.BinaryField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_idempotency_policy")],
            },
        ),
        migrations.CreateModel(
            name="Item",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "item_no", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("item_no", models.IntegerField()),
                ("item_key", models.BinaryField(max_length=16)),
                ("live", models.BooleanField(default=True)),
                ("version", models.BigIntegerField()),
                ("fingerprint", models.BinaryField(max_length=16)),
                ("body", models.BinaryField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["tenant_id", "version"], name="data_item_version")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "item_key"), name="data_item_key"),
                    tenants.rls.TenantPolicy(name="data_item_policy"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ItemImage",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "item_no", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("item_no", models.IntegerField()),
                ("content_type", models.CharField(max_length=40)),
                ("body", models.BinaryField()),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.CompositeForeignKey(
                        columns=("tenant_id", "item_no"),
                        name="data_itemimage_item",
                        to_columns=("tenant_id", "item_no"),
                        to_table="data_item",
                    ),
                    tenants.rls.TenantPolicy(name="data_itemimage_policy"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ItemImageEmbedding",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "item_no", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("item_no", models.IntegerField()),
                ("encoder", models.CharField(max_length=40)),
                ("body", models.BinaryField()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.CompositeForeignKey(
                        columns=("tenant_id", "item_no"),
                        name="data_itemimageembedding_image",
                        to_columns=("tenant_id", "item_no"),
                        to_table="data_itemimage",
                    ),
                    tenants.rls.TenantPolicy(name="data_itemimageembedding_policy"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField()),
                ("kind", models.CharField(max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=12,
                    ),
                ),
                ("phase", models.CharField(default="", max_length=60)),
                ("percent", models.SmallIntegerField(default=0)),
                ("attempt", models.SmallIntegerField(default=0)),
                ("parameters", models.JSONField(default=dict)),
                ("outcome", models.JSONField(default=dict)),
                ("reason", models.CharField(default="", max_length=500)),
                ("lease_owner", models.CharField(default="", max_length=80)),
                ("lease_until", models.DateTimeField(null=True)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("requested_by", models.CharField(default="", max_length=80)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["state", "lease_until"],
                        name="data_job_open",
                    )
                ],
                "constraints": [tenants.rls.TenantOrOpsPolicy(name="data_job_policy")],
            },
        ),
        migrations.CreateModel(
            name="Outbox",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField()),
                ("task", models.CharField(max_length=80)),
                ("arguments", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("published_at", models.DateTimeField(null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("published_at__isnull", True)),
                        fields=["created_at"],
                        name="data_outbox_pending",
                    )
                ],
                "constraints": [tenants.rls.TenantOrOpsPolicy(name="data_outbox_policy")],
            },
        ),
        migrations.CreateModel(
            name="Profile",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "profile_key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("profile_key", models.BinaryField(max_length=16)),
                (
                    "consent",
                    models.SmallIntegerField(
                        choices=[(0, "Unknown"), (1, "Granted"), (2, "Refused")], default=0
                    ),
                ),
                ("body", models.BinaryField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        condition=models.Q(("consent", 2)),
                        fields=["tenant_id", "profile_key"],
                        name="data_profile_refused",
                    )
                ],
                "constraints": [tenants.rls.TenantPolicy(name="data_profile_policy")],
            },
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField()),
                ("profile_key", models.BinaryField(max_length=16, null=True)),
                ("body", models.BinaryField()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["tenant_id", "profile_key"], name="data_receipt_profile")],
                "constraints": [tenants.rls.TenantPolicy(name="data_receipt_policy")],
            },
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "review_key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("review_key", models.BinaryField(max_length=16)),
                ("item_no", models.IntegerField()),
                ("profile_key", models.BinaryField(max_length=16, null=True)),
                ("at", models.DateTimeField()),
                ("body", models.BinaryField()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant_id", "item_no", "at"], name="data_review_item_at"),
                    models.Index(fields=["tenant_id", "profile_key"], name="data_review_profile"),
                ],
                "constraints": [
                    tenants.rls.CompositeForeignKey(
                        columns=("tenant_id", "item_no"),
                        name="data_review_item",
                        to_columns=("tenant_id", "item_no"),
                        to_table="data_item",
                    ),
                    tenants.rls.TenantPolicy(name="data_review_policy"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SeenItems",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "profile_key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("profile_key", models.BinaryField(max_length=16)),
                ("body", models.BinaryField()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_seenitems_policy")],
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "kind",
                        "key",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(max_length=10)),
                ("key", models.BinaryField(max_length=16)),
                ("body", models.BinaryField()),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_statement_policy")],
            },
        ),
        migrations.CreateModel(
            name="TenantState",
            fields=[
                ("tenant_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("vertical", models.CharField(max_length=20)),
                ("privacy", models.JSONField(default=dict)),
                ("event_kinds", models.JSONField(default=dict)),
                ("catalogue_version", models.BigIntegerField(default=0)),
                ("next_item_no", models.IntegerField(default=1)),
                ("next_source_no", models.IntegerField(default=1)),
                ("knowledge_version", models.BigIntegerField(default=0)),
                ("tombstones", models.IntegerField(default=0)),
                ("last_event_at", models.DateTimeField(null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_tenantstate_policy")],
            },
        ),
        migrations.CreateModel(
            name="TimelineChunk",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "profile_key",
                        "seq",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("profile_key", models.BinaryField(max_length=16)),
                ("seq", models.BigIntegerField()),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("count", models.IntegerField()),
                ("body", models.BinaryField()),
            ],
            options={
                "db_table": "data_timeline",
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_timeline_policy")],
            },
        ),
        migrations.CreateModel(
            name="Tombstone",
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
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [tenants.rls.TenantPolicy(name="data_tombstone_policy")],
            },
        ),
        migrations.RunSQL(TIMELINE_STORAGE, migrations.RunSQL.noop),
    ]
