from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle


class Region(models.Model):
    """A region of the installation. Copied from the settings, so that tenants can refer to it by foreign key."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.NOTHING, ErasurePolicy.NEVER_PERSONAL)

    code = models.CharField(_("code"), primary_key=True, max_length=16)
    name_en = models.CharField(_("name (English)"), max_length=80)
    name_zh = models.CharField(_("name (Chinese)"), max_length=80)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=200, blank=True)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("region")
        verbose_name_plural = _("regions")
        ordering = ["code"]

    def __str__(self) -> str:
        if (get_language() or "").startswith("zh"):
            return self.name_zh
        return self.name_en
