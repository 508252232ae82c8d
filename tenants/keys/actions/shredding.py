"""Off-boarding: without its KEK a tenant's ciphertexts are noise, wherever copies of them lie."""

from __future__ import annotations

import json

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from tenants import audit
from tenants.crypto.signing import Signer
from tenants.keys.actions.locking import lock_kek_row
from tenants.keys.models import KeyState, PurposeKey, ShredCertificate, TenantKey
from tenants.keys.queries import forget_keyring
from tenants.keys.queries.certificates import get_certificate
from tenants.keys.results import SignedCertificate
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, keys_scope


def shred(tenant: TenantRef, *, actor: Actor) -> SignedCertificate:
    """Destroys every key of the tenant, for good. A second call returns the same certificate.

    Other processes may decrypt for up to KEYRING_TTL longer, a backup of the keys database while it lives.
    Raises NotFound for a tenant that never had keys.
    """
    issued = get_certificate(tenant, actor=actor)
    if issued is None:
        issued = _destroy_all_keys(tenant, actor)
    forget_keyring(tenant)
    return issued


def _destroy_all_keys(tenant: TenantRef, actor: Actor) -> SignedCertificate:
    with keys_scope(tenant, actor=actor) as s:
        lock_kek_row(tenant)
        issued = _sign_statement(_build_statement(s))
        for keys in (PurposeKey.objects, TenantKey.objects):
            _destroy_keys(keys.filter(tenant_id=tenant.id).exclude(state=KeyState.DESTROYED))
        ShredCertificate.objects.create(
            tenant_id=tenant.id, body=issued.body, signature=issued.signature, signer=issued.signer
        )
        audit.record_entry(s, "keys.shredded", str(tenant.id), signed=bool(issued.signature))
    return issued


def _destroy_keys(keys: QuerySet[PurposeKey] | QuerySet[TenantKey]) -> None:
    keys.update(state=KeyState.DESTROYED, wrapped=b"", destroyed_at=timezone.now())


def _build_statement(s: Scope) -> bytes:
    """What is destroyed, in canonical JSON: sorted names, no spaces, UTC."""
    live = PurposeKey.objects.filter(tenant_id=s.tenant_id).exclude(state=KeyState.DESTROYED)
    keks = TenantKey.objects.filter(tenant_id=s.tenant_id).order_by("version")
    statement = {
        "kind": "crypto-shred",
        "version": 1,
        "tenant": str(s.tenant_id),
        "region": s.ref.region,
        "destroyed_at": timezone.now().isoformat(timespec="seconds"),
        "by": str(s.actor),
        "key_encryption_keys": list(keks.values_list("version", flat=True)),
        "keys": [
            {"key_id": key_id, "purpose": purpose}
            for key_id, purpose in live.order_by("key_id").values_list("key_id", "purpose")
        ],
    }
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _sign_statement(body: bytes) -> SignedCertificate:
    seed = getattr(settings, "LEPTON_SIGNING_KEY", b"")
    if not seed:
        return SignedCertificate(body, b"", "")
    signer = Signer(seed)
    return SignedCertificate(body, signer.sign(body), signer.key_id)
