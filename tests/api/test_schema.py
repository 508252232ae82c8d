"""The OpenAPI schema says what the URLs do, completely."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.urls import get_resolver

from lepton_platform.api import openapi
from lepton_platform.api.permissions import SCOPE_DESCRIPTIONS
from lepton_platform.api.routes import ROUTES
from tenants.control.api_scopes import API_SCOPES


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.build_document()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    paths = document["paths"].items()
    return [(path, method, node) for path, methods in paths for method, node in methods.items()]


def test_the_schema_is_valid_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    written = yaml.safe_load((tmp_path / "schema.yml").read_text())
    assert written["openapi"] == "3.1.1"


def test_the_urlconf_and_the_schema_hold_the_same_paths(document: dict[str, Any]) -> None:
    patterns = [str(node.pattern) for include in get_resolver().url_patterns for node in _leaves(include)]
    served = {re.sub(r"<\w+:(\w+)>", r"{\1}", f"/{node}") for node in patterns if node.startswith("api/v1/")}
    assert served == set(document["paths"]) != set()


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [node["operationId"] for _, _, node in operations(document)]
    assert len(names) == len(set(names)) == sum(len(declared) for _, declared in ROUTES)


def test_every_operation_has_examples_of_what_it_takes_and_gives(document: dict[str, Any]) -> None:
    missing = []
    for path, method, node in operations(document):
        for part in [node.get("requestBody", {}), *node["responses"].values()]:
            for media_type, media in part.get("content", {}).items():
                if media_type == "application/json" and not media.get("examples"):
                    missing.append((path, method))
    assert missing == []


def test_every_operation_asks_for_a_key_with_a_scope(document: dict[str, Any]) -> None:
    needed = {scope for _, _, node in operations(document) for scope in node["security"][0]["apiKey"]}
    assert needed == set(SCOPE_DESCRIPTIONS) == API_SCOPES


def test_every_error_is_the_one_problem(document: dict[str, Any]) -> None:
    responses = document["components"]["responses"].values()
    schemas = {json.dumps(node["content"]["application/problem+json"]["schema"]) for node in responses}
    assert schemas == {'{"$ref": "#/components/schemas/Problem"}'}


def test_examples_of_requests_are_accepted_by_their_own_types(document: dict[str, Any]) -> None:
    from lepton_platform.api import bodies
    from lepton_platform.api.operations import BatchBody, JsonBody

    for _, declared in ROUTES:
        for operation in declared:
            content = json.dumps(operation.body.example).encode()
            if isinstance(operation.body, JsonBody):
                assert bodies.decode_body(content, operation.body.data_type) is not None
            if isinstance(operation.body, BatchBody):
                batch = bodies.decode_batch(content, operation.body.data_type, name=operation.body.name)
                assert batch.rejected == ()


def test_json_and_yaml_say_the_same(client: Any) -> None:
    as_json = client.get("/api/schema")
    as_yaml = client.get("/api/schema", headers={"Accept": "application/yaml"})
    assert as_json.json() == yaml.safe_load(as_yaml.content)
    assert as_json.json()["openapi"] == "3.1.1"
    assert client.get("/api/schema?format=yaml").content == as_yaml.content


def _leaves(pattern: Any) -> list[Any]:
    nested = getattr(pattern, "url_patterns", None)
    return [pattern] if nested is None else [leaf for node in nested for leaf in _leaves(node)]
