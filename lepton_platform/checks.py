"""Start-up checks: a process refuses to start when tenant isolation or durability is not guaranteed.

Each `check_*` function takes a cursor of the application role and returns one sentence for each problem.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.db import DatabaseError, connections
from django.db.models import Model

from lepton_platform.health import list_required_aliases
from tenants.control.queries.platform import check_regions
from tenants.lifecycle import Lifecycle
from tenants.scope import Actor, control_ops

_PROJECT_APPS = frozenset({"control", "data", "keys", "recommender"})
_TRAINING_MODULES = frozenset({"torch", "onnx", "onnxscript", "transformers", "cv2"})

_OWNED_RELATION_SQL = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE r.rolname = current_user LIMIT 1
"""
_CREATE_PRIVILEGE_SQL = """
SELECT has_schema_privilege('public', 'CREATE') OR has_database_privilege(current_database(), 'TEMP')
"""
_ROLE_ATTRIBUTES_SQL = """
SELECT rolsuper, rolbypassrls, rolcreaterole,
       EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
FROM pg_roles r WHERE rolname = current_user
"""
# Partitions (relkind r below a parent p) need their own policy: the parent's does not apply to direct reads of a partition.
_UNPROTECTED_TABLES_SQL = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND EXISTS (SELECT FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity
           AND EXISTS (SELECT FROM pg_policy p
                       WHERE p.polrelid = c.oid AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL))
ORDER BY 1
"""
_DURABILITY_SETTINGS_SQL = """
SELECT name FROM unnest(ARRAY['synchronous_commit', 'fsync', 'full_page_writes']) AS name
WHERE current_setting(name) = 'off'
"""


def collect_startup_errors() -> list[str]:
    """One sentence for each problem; empty when this process may start.

    The region directory is read last and only if the databases are sound, because the query itself relies on them.
    """
    problems = [
        *find_models_without_lifecycle(apps.get_models()),
        *find_training_modules(sys.modules, os.environ),
    ]
    for alias in list_required_aliases():
        problems += _check_database(alias)
    return problems or _check_regions()


def exit_on_startup_errors() -> None:
    """Prints the first problem and exits with status 2. Returns with all connections closed, so that a fork is safe."""
    problems = collect_startup_errors()
    # The server forks its workers later, and a connection must not be shared by two processes.
    for connection in connections.all(initialized_only=True):
        connection.close()
        if connection.settings_dict["OPTIONS"].get("pool"):
            connection.close_pool()  # type: ignore[attr-defined]  # of the PostgreSQL wrapper
    if problems:
        sys.stderr.write(f"{problems[0]}\n")
        raise SystemExit(2)


def _check_database(alias: str) -> list[str]:
    try:
        with connections[alias].cursor() as cursor:
            problems = [check(cursor) for check in _DATABASE_CHECKS]
    except DatabaseError as error:
        return [f"{alias}: the database does not answer: {str(error).strip().splitlines()[0]}"]
    return [f"{alias}: {problem}" for problem in chain.from_iterable(problems)]


def check_role(cursor: Any) -> list[str]:
    """The role must be bound by row-level security and must not be able to change roles."""
    cursor.execute(_ROLE_ATTRIBUTES_SQL)
    is_superuser, bypasses_rls, creates_roles, is_member = cursor.fetchone()
    problems = {
        "the application's role is a superuser.": is_superuser,
        "the application's role bypasses row-level security.": bypasses_rls,
        "the application's role may create roles.": creates_roles,
        "the application's role is a member of another role.": is_member,
    }
    return [sentence for sentence, is_present in problems.items() if is_present]


def check_ownership(cursor: Any) -> list[str]:
    """The role must own nothing and create nothing: an owner can drop the policies of its tables."""
    cursor.execute(_OWNED_RELATION_SQL)
    owned = cursor.fetchone()
    problems = []
    if owned:
        problems.append(f"the application's role owns {owned[0]}.")
    cursor.execute(_CREATE_PRIVILEGE_SQL)
    if cursor.fetchone()[0]:
        problems.append("the application's role may create tables.")
    return problems


def check_activity_tracking(cursor: Any) -> list[str]:
    """`track_activities` must be off: pg_stat_activity would show scope claims to other sessions of the role."""
    cursor.execute("SELECT current_setting('track_activities')")
    if cursor.fetchone()[0] == "off":
        return []
    return ["track_activities is on for the application's role, so that other sessions could read claims."]


def check_row_policies(cursor: Any) -> list[str]:
    """Every table with a `tenant_id` must force row-level security and have a policy for reads and writes."""
    cursor.execute(_UNPROTECTED_TABLES_SQL)
    return [f"table {table} has tenants' rows without forced row-level security." for (table,) in cursor]


def check_durability(cursor: Any) -> list[str]:
    """Committed transactions must survive a power loss, because the API acknowledges events after the commit."""
    cursor.execute(_DURABILITY_SETTINGS_SQL)
    return [f"{name} is off: acknowledged events could be lost. Set it to on." for (name,) in cursor]


# Run on every required database, in this order; the first problem found is printed.
_DATABASE_CHECKS: tuple[Callable[[Any], list[str]], ...] = (
    check_role,
    check_ownership,
    check_activity_tracking,
    check_row_policies,
    check_durability,
)


def find_models_without_lifecycle(models: Iterable[type[Model]]) -> list[str]:
    """Models of the project's apps without a `Lifecycle`, which states retention, export and erasure."""
    return [
        f"Model {model._meta.label} does not say how long its rows are kept: give it a `lifecycle`."
        for model in models
        if model._meta.app_label in _PROJECT_APPS
        and not isinstance(getattr(model, "lifecycle", None), Lifecycle)
    ]


def find_training_modules(loaded_modules: Iterable[str], environ: Any) -> list[str]:
    """Training and video libraries that a web process has imported.

    They take a gigabyte of memory, and decoders of untrusted files belong in a worker.
    """
    if environ.get("LEPTON_PROCESS") != "web":
        return []
    return [f"The web process loads {name}." for name in sorted(_TRAINING_MODULES & set(loaded_modules))]


def _check_regions() -> list[str]:
    actor = Actor("system", "start")
    try:
        with control_ops("start-up", actor=actor, reason="regions against settings"):
            return check_regions()
    except DatabaseError as error:
        return [f"The directory of regions cannot be read: {str(error).strip().splitlines()[0]}"]


@register()
def check_lifecycles(**_kwargs: Any) -> list[CheckMessage]:
    """The same check for `manage.py check`, which needs no database."""
    sentences = find_models_without_lifecycle(apps.get_models())
    return [Error(sentence, id="lepton.E001") for sentence in sentences]
