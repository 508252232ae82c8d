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
                    models.BooleanField(help_text="Whether the encrypted files are in the object store."),
                ),
                ("manifest", models.JSONField(default=dict)),
                ("metrics", models.JSONField(default=dict)),
                (
                    "reason",
                    models.TextField(blank=True, default="", help_text="The reasons as English sentences."),
                ),
                (
                    "reasons",
                    models.JSONField(default=list, help_text="Codes and parameters of the decisions."),
                ),
                (
                    "live",
                    models.JSONField(
                        default=dict,
                        help_text="The last interim analysis of outcomes; see recommender.monitoring.auto_rollback.",
                    ),
                ),
                (
                    "drift",
                    models.JSONField(
                        default=dict,
                        help_text="The last measurement of drift; see recommender.monitoring.drift.",
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
