from tenants.data.models.audit import AuditEntry, Receipt
from tenants.data.models.catalogue import Item, ItemImage, ItemImageEmbedding, Statement
from tenants.data.models.jobs import Idempotency, Job, JobState, Outbox
from tenants.data.models.profiles import Consent, Profile, Tombstone
from tenants.data.models.reviews import Review
from tenants.data.models.tenant_state import TenantState
from tenants.data.models.timeline import BatchDigest, Counter, CounterDelta, SeenItems, TimelineChunk

__all__ = [
    "AuditEntry",
    "BatchDigest",
    "Consent",
    "Counter",
    "CounterDelta",
    "Idempotency",
    "Item",
    "ItemImage",
    "ItemImageEmbedding",
    "Job",
    "JobState",
    "Outbox",
    "Profile",
    "Receipt",
    "Review",
    "SeenItems",
    "Statement",
    "TenantState",
    "TimelineChunk",
    "Tombstone",
]
