from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("recommender", "0002_policies_ask_when_planned")]

    operations = [
        migrations.AlterField(
            model_name="modelversion",
            name="reason",
            field=models.TextField(
                blank=True, default="", help_text="The reasons in English, in one sentence each."
            ),
        ),
        migrations.AddField(
            model_name="modelversion",
            name="reasons",
            field=models.JSONField(
                default=list, help_text="Codes and figures; empty in rows of earlier versions."
            ),
        ),
        migrations.AddField(
            model_name="modelversion",
            name="live",
            field=models.JSONField(
                default=dict, help_text="What happened after its answers; see evaluation/live.py."
            ),
        ),
        migrations.AddField(
            model_name="modelversion",
            name="drift",
            field=models.JSONField(
                default=dict, help_text="How far the latest days are from what it learned from."
            ),
        ),
    ]
