"""Migrates every database of this process to the current schema, as the migrator role."""

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
    """Applies pending migrations, transfers ownership, installs scope keys and writes the region directory.

    Idempotent. New objects belong to the migrator until `_transfer_ownership` reassigns them to the owner, which
    can't log in.

    Args:
        report: receives one line for each database with pending migrations.
    """
    for alias in settings.DATABASES:
        labels = _list_migrated_apps(alias)
        pending = _find_pending_migrations(alias, labels)
        if pending:
            report(f"{alias}: {len(pending)} migrations of {', '.join(sorted(set(pending)))}")
            for label in labels:
                call_command("migrate", label, database=alias, verbosity=0, interactive=False)
        if labels:
            _transfer_ownership(alias)
    with control_ops("sync-regions", actor=Actor("system", "migrate_all"), reason="directory from settings"):
        sync_regions()


def _list_migrated_apps(alias: str) -> list[str]:
    """Labels of the apps that have migrations and whose tables are in this database."""
    router = PlaneRouter()
    migrated_apps = MigrationExecutor(connections[alias]).loader.migrated_apps
    labels = []
    for config in apps.get_app_configs():
        if config.label in migrated_apps and router.allow_migrate(alias, config.label):
            labels.append(config.label)
    return labels


def _find_pending_migrations(alias: str, labels: list[str]) -> list[str]:
    """The app label of each migration that is not applied yet."""
    executor = MigrationExecutor(connections[alias])
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in labels]
    return [migration.app_label for migration, _backwards in executor.migration_plan(targets)]


def _transfer_ownership(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"REASSIGN OWNED BY {MIGRATOR} TO {OWNER}")
        # Default privileges give the application access to every new table, so also to this one.
        cursor.execute(f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {APPLICATION}")
        install_scope_key(cursor, derive_scope_key(alias))
    connections[alias].close()
