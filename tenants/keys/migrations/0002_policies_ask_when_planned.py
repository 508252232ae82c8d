from django.db import migrations

from tenants.rls import TenantOrOpsPolicy, TenantPolicy, functions, renewed


class Migration(migrations.Migration):
    dependencies = [("keys", "0001_initial")]

    operations = [
        functions(),
        renewed(
            TenantPolicy, "keys_auditentry", "keys_purposekey", "keys_shredcertificate", "keys_tombstone"
        ),
        renewed(TenantOrOpsPolicy, "keys_tenantkey"),
    ]
