"""Sends each app to its plane. There is no default database for tenant data."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from tenants.regions import CONTROL
from tenants.scope import current_scope

_PREFIX = {"data": "data_", "recommender": "data_", "keys": "keys_"}


class PlaneRouter:
    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Raises ScopeRequired for tenant data without an open scope."""
        prefix = _PREFIX.get(model._meta.app_label)
        return current_scope(prefix).alias if prefix else CONTROL

    db_for_write = db_for_read

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return _PREFIX.get(one._meta.app_label) == _PREFIX.get(other._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        prefix = _PREFIX.get(app_label)
        return db.startswith(prefix) if prefix else db == CONTROL
