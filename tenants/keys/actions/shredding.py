"""Crypto-shredding: destroys all keys of a tenant, so that no copy of its ciphertexts can be decrypted.

The certificate is canonical JSON (UTF-8, sorted names, no spaces) with these fields: kind ("crypto-shred"), version (1),
tenant, region, destroyed_at (ISO 8601, UTC), destroyed_by (actor), key_encryption_keys (versions), keys (list of
key_id and purpose).
"""

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
    """Destroys all keys of the tenant irrevocably. A second call returns the same certificate.

    Other processes can decrypt for up to KEYRING_TTL longer, and so can backups of the keys database until they are
    deleted. Raises NotFound for a tenant that never had keys.
    """
    certificate = get_certificate(tenant, actor=actor)
    if certificate is None:
        certificate = _destroy_all_keys(tenant, actor)
    forget_keyring(tenant)
    return certificate


def _destroy_all_keys(tenant: TenantRef, actor: Actor) -> SignedCertificate:
    with keys_scope(tenant, actor=actor) as s:
        lock_kek_row(tenant)
        # Built before the keys are destroyed: it lists the live ones.
        certificate = _sign_statement(_build_statement(s))
        for keys in (PurposeKey.objects, TenantKey.objects):
            _destroy_keys(keys.filter(tenant_id=tenant.id).exclude(state=KeyState.DESTROYED))
        ShredCertificate.objects.create(
            tenant_id=tenant.id,
            body=certificate.body,
            signature=certificate.signature,
            signer=certificate.signer,
        )
        audit.record_entry(s, "keys.shredded", str(tenant.id), signed=bool(certificate.signature))
    return certificate


def _destroy_keys(keys: QuerySet[PurposeKey] | QuerySet[TenantKey]) -> None:
    keys.update(
        state=KeyState.DESTROYED,
        wrapped=b"",
        destroyed_at=timezone.now(),
    )


def _build_statement(s: Scope) -> bytes:
    live = PurposeKey.objects.filter(tenant_id=s.tenant_id).exclude(state=KeyState.DESTROYED)
    keks = TenantKey.objects.filter(tenant_id=s.tenant_id).order_by("version")
    keys = []
    for key_id, purpose in live.order_by("key_id").values_list("key_id", "purpose"):
        keys.append({"key_id": key_id, "purpose": purpose})
    statement = {
        "kind": "crypto-shred",
        "version": 1,
        "tenant": str(s.tenant_id),
        "region": s.ref.region,
        "destroyed_at": timezone.now().isoformat(timespec="seconds"),
        "destroyed_by": str(s.actor),
        "key_encryption_keys": list(keks.values_list("version", flat=True)),
        "keys": keys,
    }
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()


def _sign_statement(body: bytes) -> SignedCertificate:
    seed = getattr(settings, "LEPTON_SIGNING_KEY", b"")
    if not seed:
        # Without a signing key (development) certificates are stored unsigned.
        return SignedCertificate(body, b"", "")
    signer = Signer(seed)
    return SignedCertificate(body, signer.sign(body), signer.key_id)
