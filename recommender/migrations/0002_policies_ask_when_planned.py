from django.db import migrations

from tenants.rls import TenantPolicy, renewed


class Migration(migrations.Migration):
    dependencies = [("recommender", "0001_initial"), ("data", "0002_policies_ask_when_planned")]

    operations = [
        renewed(TenantPolicy, "recommender_activemodel", "recommender_modelversion"),
    ]
