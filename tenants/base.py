"""Base classes of tenant models: the tenant id, a manager that requires a scope, and a declared lifecycle."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models

from tenants.lifecycle import Lifecycle
from tenants.scope import get_current_scope

# App label -> prefix of the database alias. All other apps are on the data plane.
_ALIAS_PREFIXES = {"control": "default", "keys": "keys_"}


class ScopedManager(models.Manager[models.Model]):
    """Raises ScopeRequired unless a scope on the model's plane is open. It adds no filter: queries name the tenant."""

    def get_queryset(self) -> models.QuerySet[models.Model]:
        """Raises ScopeRequired without an open scope on the model's plane."""
        get_current_scope(_ALIAS_PREFIXES.get(self.model._meta.app_label, "data_"))
        return super().get_queryset()


class TenantModel(models.Model):
    """Rows of one tenant. Subclasses declare `lifecycle` and a policy in `Meta.constraints`."""

    lifecycle: ClassVar[Lifecycle]
    tenant_id = models.UUIDField(editable=False)

    objects: ClassVar[models.Manager[Self]] = ScopedManager()  # type: ignore[assignment]

    class Meta:
        abstract = True
        base_manager_name = "objects"
