"""Sends each app to its plane. There is no default database for tenant data."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from tenants.regions import CONTROL
from tenants.scope import get_current_scope

_ALIAS_PREFIXES = {"data": "data_", "recommender": "data_", "keys": "keys_"}


class PlaneRouter:
    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Raises ScopeRequired for tenant data without an open scope."""
        prefix = _ALIAS_PREFIXES.get(model._meta.app_label)
        return get_current_scope(prefix).alias if prefix else CONTROL

    db_for_write = db_for_read

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool:
        return _ALIAS_PREFIXES.get(obj1._meta.app_label) == _ALIAS_PREFIXES.get(obj2._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        prefix = _ALIAS_PREFIXES.get(app_label)
        return db.startswith(prefix) if prefix else db == CONTROL
