from tenants.keys.models.erasure_records import AuditEntry, ErasureLedgerEntry, ShredCertificate
from tenants.keys.models.wrapped import KeyState, PurposeKey, TenantKey

__all__ = ["AuditEntry", "ErasureLedgerEntry", "KeyState", "PurposeKey", "ShredCertificate", "TenantKey"]
