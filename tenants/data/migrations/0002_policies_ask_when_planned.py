from django.db import migrations

from tenants.rls import TenantOrOpsPolicy, TenantPolicy, functions, renewed


class Migration(migrations.Migration):
    dependencies = [("data", "0001_initial")]

    operations = [
        functions(),
        renewed(
            TenantPolicy,
            "data_auditentry",
            "data_batchdigest",
            "data_timeline",
            "data_counter",
            "data_counterdelta",
            "data_idempotency",
            "data_item",
            "data_itemimage",
            "data_profile",
            "data_receipt",
            "data_review",
            "data_seenitems",
            "data_tenantstate",
            "data_tombstone",
        ),
        renewed(TenantOrOpsPolicy, "data_job", "data_outbox"),
    ]
