"""The database router: each app belongs to one plane. Tenant data has no default database."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from tenants.regions import CONTROL
from tenants.scope import get_current_scope

# App label -> prefix of the database alias. All other apps are on the control plane.
_ALIAS_PREFIXES = {"data": "data_", "recommender": "data_", "keys": "keys_"}


class PlaneRouter:
    """Routes the apps of the data and keys planes to the database of the open scope, all others to the control plane."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Returns the database alias. Raises ScopeRequired for tenant data without an open scope."""
        prefix = _ALIAS_PREFIXES.get(model._meta.app_label)
        if prefix is None:
            return CONTROL
        return get_current_scope(prefix).alias

    db_for_write = db_for_read

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool:
        """Allows relations within a plane only."""
        return _ALIAS_PREFIXES.get(obj1._meta.app_label) == _ALIAS_PREFIXES.get(obj2._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Allows an app's migrations on the databases of its plane only."""
        prefix = _ALIAS_PREFIXES.get(app_label)
        if prefix is None:
            return db == CONTROL
        return db.startswith(prefix)
