from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0002_policies_ask_when_planned"),
    ]

    operations = [
        migrations.AlterField(
            model_name="purposekey",
            name="key_id",
            field=models.PositiveIntegerField(),
        ),
    ]
