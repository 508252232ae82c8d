from tenants.keys.models.erasure_records import AuditEntry, ShredCertificate, Tombstone
from tenants.keys.models.wrapped import KeyState, PurposeKey, TenantKey

__all__ = ["AuditEntry", "KeyState", "PurposeKey", "ShredCertificate", "TenantKey", "Tombstone"]
