from __future__ import annotations

from django.conf import settings

from tenants.control.models import Region

_JURISDICTIONS = {
    "cn": "China (PIPL, DSL)",
    "eu": "European Union (GDPR, DSA)",
    "us": "United States (state privacy acts)",
}


def sync_regions() -> None:
    """Updates the region table from LEPTON_REGIONS; other regions become inactive. Idempotent."""
    for code, region in settings.LEPTON_REGIONS.items():
        Region.objects.update_or_create(
            code=code,
            defaults={
                "name_en": region.name_en,
                "name_zh": region.name_zh,
                "jurisdiction": _JURISDICTIONS.get(code, ""),
                "active": True,
            },
        )
    Region.objects.exclude(code__in=settings.LEPTON_REGIONS).update(active=False)
