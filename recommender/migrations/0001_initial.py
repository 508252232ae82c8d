from django.db import migrations, models

import tenants.rls


class Migration(migrations.Migration):
    initial = True

    dependencies = [("data", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ActiveModel",
            fields=[
                ("tenant_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("version", models.IntegerField()),
                ("moves", models.BigIntegerField(default=0)),
                ("changed_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.TenantPolicy(name="recommender_activemodel_policy"),
                    tenants.rls.CompositeForeignKey(
                        columns=("tenant_id", "version"),
                        name="recommender_activemodel_version",
                        to_columns=("tenant_id", "version"),
                        to_table="recommender_modelversion",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ModelVersion",
            fields=[
                ("tenant_id", models.UUIDField(editable=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "version", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("version", models.IntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("candidate", "Candidate"),
                            ("active", "Active"),
                            ("retired", "Retired"),
                            ("refused", "Refused"),
                            ("corrupt", "Corrupt"),
                        ],
                        max_length=12,
                    ),
                ),
                ("profile", models.CharField(max_length=8)),
                ("job_id", models.UUIDField()),
                ("artefact_id", models.UUIDField()),
                (
                    "has_artefact",
                    models.BooleanField(
                        help_text="Whether the encrypted files still lie in the object store."
                    ),
                ),
                ("manifest", models.JSONField(default=dict)),
                ("metrics", models.JSONField(default=dict)),
                (
                    "reason",
                    models.TextField(
                        blank=True, default="", help_text="The reasons in English, in one sentence each."
                    ),
                ),
                (
                    "reasons",
                    models.JSONField(
                        default=list, help_text="Codes and figures; empty in rows of earlier versions."
                    ),
                ),
                (
                    "live",
                    models.JSONField(
                        default=dict, help_text="What happened after its answers; see evaluation/live.py."
                    ),
                ),
                (
                    "drift",
                    models.JSONField(
                        default=dict, help_text="How far the latest days are from what it learned from."
                    ),
                ),
                ("trained_at", models.DateTimeField()),
                ("latest_event_at", models.DateTimeField(null=True)),
                ("changed_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    tenants.rls.TenantPolicy(name="recommender_modelversion_policy"),
                    models.UniqueConstraint(
                        fields=("tenant_id", "job_id"), name="recommender_modelversion_job"
                    ),
                ],
            },
        ),
    ]
