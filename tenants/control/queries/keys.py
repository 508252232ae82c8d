from __future__ import annotations

from django.utils import timezone

from tenants.control.models import ApiKey
from tenants.control.queries.mappers import to_api_key_view
from tenants.control.queries.tenants import get_region
from tenants.control.read_models import ApiKeyView
from tenants.errors import NotFound
from tenants.scope import Scope


def list_api_keys(s: Scope) -> list[ApiKeyView]:
    """Returns all keys of the tenant, expired and revoked ones included, newest first."""
    region, now = get_region(s), timezone.now()
    rows = ApiKey.objects.filter(tenant_id=s.tenant_id).select_related("created_by").order_by("-created_at")
    return [to_api_key_view(row, region=region, now=now) for row in rows]


def get_api_key(s: Scope, key_id: str) -> ApiKeyView:
    """Returns one key. Raises NotFound, also for a key of another tenant."""
    row = ApiKey.objects.filter(tenant_id=s.tenant_id, id=key_id).select_related("created_by").first()
    if row is None:
        raise NotFound("There is no such API key.")
    return to_api_key_view(row, region=get_region(s), now=timezone.now())
