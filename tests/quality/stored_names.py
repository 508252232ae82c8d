"""Names that are stored, sent or shown: a change of one breaks a client, an operator or a stored model.

test_stored_names.py compares them with stored_names.json; `python -m tests.quality.write_stored_names` writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from django.apps import apps
from django.core.management import get_commands, load_command_class
from django.urls import URLPattern, URLResolver, get_resolver

from lepton_platform.api import openapi
from lepton_platform.api.errors import PROBLEM_TYPES
from lepton_platform.celery import app
from recommender.algorithms.base import Recommender
from recommender.registry import reasons
from recommender.registry.version_metrics import VersionMetrics
from tests.recommender import checkerboard

SNAPSHOT = Path(__file__).with_name("stored_names.json")
ROOT = Path(__file__).resolve().parents[2]
OWN_APPS = ("control", "data", "keys", "recommender")
Names = dict[str, list[str]]


def collect_names() -> dict[str, Names]:
    """{kind: {thing: its names}}, sorted; the same at every call."""
    return {
        "database columns by table": collect_columns(),
        "API fields by schema": collect_schema_fields(),
        "API values by schema and field": collect_schema_values(),
        "API operations by path": collect_operations(),
        "URL names": {"names": sorted(set(collect_url_names(get_resolver().url_patterns)))},
        "Celery tasks": {"names": sorted(name for name in app.tasks if name.startswith("lepton"))},
        "settings": {"names": collect_settings()},
        "command options": collect_command_options(),
        "model configuration": {name: collect_config_fields(model) for name, model in build_models().items()},
        "artefact arrays": collect_artefact_arrays(),
        "version metrics": {"names": sorted(VersionMetrics.__struct_fields__)},
        "reason codes": {"names": sorted(reasons.SENTENCES)},
        "error codes": {"names": sorted(PROBLEM_TYPES)},
    }


def collect_columns() -> Names:
    models = [model for label in OWN_APPS for model in apps.get_app_config(label).get_models()]
    return {
        model._meta.db_table: sorted(field.column for field in model._meta.concrete_fields if field.column)
        for model in sorted(models, key=lambda model: model._meta.db_table)
    }


def collect_schema_fields() -> Names:
    schemas = openapi.build_document()["components"]["schemas"]
    return {name: sorted(schema.get("properties", {})) for name, schema in sorted(schemas.items())}


def collect_schema_values() -> Names:
    """Fields that take one of a few values: kinds, states, codes."""
    values: Names = {}
    for name, schema in sorted(openapi.build_document()["components"]["schemas"].items()):
        for field, description in sorted(schema.get("properties", {}).items()):
            if choices := description.get("enum"):
                values[f"{name}.{field}"] = sorted(map(str, choices))
    return values


def collect_operations() -> Names:
    operations: Names = {}
    for path, methods in sorted(openapi.build_document()["paths"].items()):
        for method, operation in sorted(methods.items()):
            parameters = [parameter["name"] for parameter in operation.get("parameters", ())]
            operations[f"{method.upper()} {path}"] = [operation["operationId"], *sorted(parameters)]
    return operations


def collect_url_names(patterns: Iterable[URLPattern | URLResolver], namespace: str = "") -> Iterable[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            # Names of other packages are theirs to change.
            if pattern.namespace not in ("admin", "djdt"):
                yield from collect_url_names(pattern.url_patterns, inner)
        elif pattern.name and pattern.lookup_str.startswith(("lepton_platform.", "recommender.")):
            yield f"{namespace}{pattern.name}"


def collect_settings() -> list[str]:
    """Environment variables that env.py reads."""
    text = (ROOT / "lepton_platform" / "env.py").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"\"((?:LEPTON|DATABASE_URL|BROKER|VALKEY|MAIL|OBJECT|KMS)[A-Z_]*)", text)))


def collect_command_options() -> Names:
    options: Names = {}
    for name, package in sorted(get_commands().items()):
        if package == "lepton_platform":
            parser = load_command_class(package, name).create_parser("manage.py", name)
            actions = [action for action in parser._actions if action.dest != "help"]
            own = [action.option_strings[-1] if action.option_strings else action.dest for action in actions]
            options[name] = sorted(set(own) - _DJANGO_OPTIONS)
    return options


_DJANGO_OPTIONS = {
    *(
        "--version",
        "--verbosity",
        "--settings",
        "--pythonpath",
        "--traceback",
        "--no-color",
        "--force-color",
        "--skip-checks",
    ),
}


def build_models() -> dict[str, Recommender[Any]]:
    factories: dict[str, Callable[[], Recommender[Any]]] = dict(checkerboard.ALL_MODELS)
    return {name: build() for name, build in sorted(factories.items())}


def collect_config_fields(model: Recommender[Any]) -> list[str]:
    return sorted(asdict(model.config))


def collect_artefact_arrays() -> Names:
    """Array names by model and file, of models fitted to a small data set, as they are and quantized."""
    data = checkerboard.make_checkerboard()
    arrays: Names = {}
    for name, model in build_models().items():
        model.fit(data, np.random.default_rng(0))
        for variant, stored in (("", model), (" quantized", model.quantize())):
            for file, content in sorted(stored.to_files().items()):
                arrays[f"{name}{variant}: {file}"] = (
                    list_array_names(content) if file.endswith("safetensors") else []
                )
    return arrays


def list_array_names(content: bytes) -> list[str]:
    header_length = int.from_bytes(content[:8], "little")  # the format's first eight bytes
    header = json.loads(content[8 : 8 + header_length])
    return sorted(name for name in header if name != "__metadata__")


def write_snapshot() -> None:
    SNAPSHOT.write_text(json.dumps(collect_names(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
