from tenants.data.models.catalogue import Item, ItemImage, ItemImageEmbedding, Statement
from tenants.data.models.evidence import AuditEntry, Receipt
from tenants.data.models.profiles import Consent, Profile, Tombstone
from tenants.data.models.reviews import Review
from tenants.data.models.space import TenantState
from tenants.data.models.timeline import BatchDigest, Counter, CounterDelta, SeenItems, TimelineChunk
from tenants.data.models.work import Idempotency, Job, JobState, Outbox

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
