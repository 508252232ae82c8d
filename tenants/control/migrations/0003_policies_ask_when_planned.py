from django.db import migrations

from tenants.rls import MembershipPolicy, TenantOrOpsPolicy, functions, renewed


class Migration(migrations.Migration):
    dependencies = [("control", "0002_find_api_key")]

    operations = [
        functions(),
        renewed(TenantOrOpsPolicy, "control_auditentry", "control_apikey"),
        renewed(MembershipPolicy, "control_member"),
    ]
