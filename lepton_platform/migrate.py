"""Brings every database to the present schema, as the migrator."""

from __future__ import annotations

from collections.abc import Callable

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from tenants.control.actions import sync_regions
from tenants.regions import derive_scope_key
from tenants.rls import install_scope_key
from tenants.router import PlaneRouter
from tenants.scope import Actor, control_ops

MIGRATOR, OWNER, APPLICATION = "lepton_migrate", "lepton_owner", "lepton_app"


def migrate_all(report: Callable[[str], None]) -> None:
    """May run twice. What is made belongs to the migrator for a moment and to the owner afterwards."""
    for alias in settings.DATABASES:
        if pending := _find_pending_migrations(alias):
            report(f"{alias}: {len(pending)} migrations of {', '.join(sorted(set(pending)))}")
            for label in _list_migrated_apps(alias):
                call_command("migrate", label, database=alias, verbosity=0, interactive=False)
        if _list_migrated_apps(alias):
            _transfer_ownership(alias)
    with control_ops("sync-regions", actor=Actor("system", "migrate_all"), reason="directory from settings"):
        sync_regions()


def _list_migrated_apps(alias: str) -> list[str]:
    """Apps with migrations that live in this database."""
    router = PlaneRouter()
    loader = MigrationExecutor(connections[alias]).loader
    found = [config.label for config in apps.get_app_configs() if config.label in loader.migrated_apps]
    return [label for label in found if router.allow_migrate(alias, label)]


def _find_pending_migrations(alias: str) -> list[str]:
    """App labels of the migrations to come, one for each migration."""
    executor = MigrationExecutor(connections[alias])
    mine = set(_list_migrated_apps(alias))
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in mine]
    return [migration.app_label for migration, _backwards in executor.migration_plan(targets)]


def _transfer_ownership(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"REASSIGN OWNED BY {MIGRATOR} TO {OWNER}")
        cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {APPLICATION}")
        install_scope_key(cursor, derive_scope_key(alias))
    connections[alias].close()


def find_pending_aliases() -> list[str]:
    """Databases whose schema is older than this code; read-only, so the application role may ask."""
    return [alias for alias in settings.DATABASES if _find_pending_migrations(alias)]
