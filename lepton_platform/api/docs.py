"""The API documentation at `/docs` and the OpenAPI document at `/api/schema`. Neither loads anything from another host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from lepton_platform.api import openapi
from lepton_platform.api.errors import PROBLEM_TYPES, ProblemType

_YAML_TYPES = ("application/yaml", "text/yaml", "application/vnd.oai.openapi")


@dataclass(frozen=True, slots=True)
class DocumentedField:
    """A parameter, or a field of the request body."""

    name: str
    type_name: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class ResponseExample:
    status: str
    text: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class DocumentedOperation:
    """One operation as the documentation page shows it."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    scope: str
    parameters: tuple[DocumentedField, ...]
    fields: tuple[DocumentedField, ...]
    curl: str
    responses: tuple[ResponseExample, ...]
    problems: tuple[tuple[str, ProblemType], ...]


@require_safe
def serve_schema(request: HttpRequest) -> HttpResponse:
    """Returns the OpenAPI document as JSON, or as YAML if `?format=yaml` or the Accept header requests it."""
    requested_format = request.GET.get("format")
    if not requested_format:
        accepted = request.headers.get("Accept", "")
        requested_format = "yaml" if any(media_type in accepted for media_type in _YAML_TYPES) else "json"
    if requested_format == "yaml":
        return HttpResponse(_dump_yaml(), content_type="application/yaml; charset=utf-8")
    return HttpResponse(_dump_json(), content_type="application/json")


@require_safe
def show_docs(request: HttpRequest) -> HttpResponse:
    """Renders the documentation page; the examples use the host of the request."""
    base_url = f"{request.scheme}://{request.get_host()}"
    context = {
        "groups": _group_operations(base_url),
        "problems": tuple(PROBLEM_TYPES.items()),
        "base_url": base_url,
    }
    return render(request, "docs.html", context)


@lru_cache(maxsize=1)
def _dump_json() -> bytes:
    return json.dumps(openapi.build_document(), ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(maxsize=1)
def _dump_yaml() -> bytes:
    text: str = yaml.safe_dump(openapi.build_document(), sort_keys=False, allow_unicode=True, width=110)
    return text.encode()


@lru_cache(maxsize=8)
def _group_operations(base_url: str) -> tuple[tuple[str, list[DocumentedOperation]], ...]:
    document = openapi.build_document()
    groups: dict[str, list[DocumentedOperation]] = {}
    for path, operation in openapi.iter_operations():
        schema = document["paths"][path][operation.method.lower()]
        codes = openapi.list_error_codes(path, operation)
        documented = DocumentedOperation(
            name=operation.name,
            method=operation.method,
            path=path,
            summary=operation.summary,
            description=_format_prose(operation.description),
            scope=operation.required_scope,
            parameters=tuple(_describe_parameters(schema)),
            fields=tuple(_describe_fields(document, schema)),
            curl=_build_curl_command(base_url, path, operation.method, schema),
            responses=tuple(_describe_responses(schema)),
            problems=tuple((code, PROBLEM_TYPES[code]) for code in codes),
        )
        groups.setdefault(schema["tags"][0], []).append(documented)
    return tuple(groups.items())


def _format_prose(text: str) -> SafeString:
    """Escapes `text` and marks the parts between backticks as code."""
    fragments: list[tuple[str]] = []
    for index, fragment in enumerate(text.split("`")):
        # Every second fragment stands between two backticks.
        is_code = index % 2 == 1
        fragments.append((format_html("<code>{}</code>", fragment) if is_code else fragment,))
    return format_html_join("", "{}", fragments)


def _describe_parameters(operation_schema: dict[str, Any]) -> Iterator[DocumentedField]:
    for parameter in operation_schema["parameters"]:
        yield DocumentedField(
            name=parameter["name"],
            type_name=f"{parameter['in']}, {_describe_type(parameter['schema'])}",
            required=parameter["required"],
            description=_format_prose(parameter.get("description", "")),
        )


def _describe_fields(document: dict[str, Any], operation_schema: dict[str, Any]) -> Iterator[DocumentedField]:
    media = operation_schema.get("requestBody", {}).get("content", {}).get("application/json")
    if media is None:
        return
    body = media["schema"]
    prefix = ""
    if "properties" in body:
        # A batch: an object with one list, whose rows are documented as "items[].price".
        name, rows = next(iter(body["properties"].items()))
        prefix = f"{name}[]."
        body = rows["items"]
    component = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    for name, schema in component["properties"].items():
        yield DocumentedField(
            name=prefix + name,
            type_name=_describe_type(schema),
            required=name in component.get("required", ()),
            description=_describe_bounds(schema),
        )


def _describe_type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        # Two alternatives may differ only in their bounds; dict.fromkeys removes the second and keeps the order.
        return " | ".join(dict.fromkeys(_describe_type(alternative) for alternative in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if schema.get("type") == "array":
        return f"list of {_describe_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_describe_type(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or "any")


_BOUND_FORMATS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} names",
    "pattern": "like {}",
}


def _describe_bounds(schema: dict[str, Any]) -> str:
    bounds = []
    for alternative in [schema, *schema.get("anyOf", [])]:
        for name, template in _BOUND_FORMATS.items():
            if name in alternative:
                bounds.append(template.format(_format_number(alternative[name])))
    if schema.get("default") not in (None, [], {}, ""):
        bounds.append(f"default {json.dumps(schema['default'])}")
    return ", ".join(bounds)


def _format_number(value: Any) -> Any:
    if isinstance(value, int | float) and value == int(value):
        return f"{value:,.0f}"
    return value


def _describe_responses(operation_schema: dict[str, Any]) -> Iterator[ResponseExample]:
    for status, response in operation_schema["responses"].items():
        if "$ref" in response:  # an error, which the page lists separately
            continue
        media = response.get("content", {}).get("application/json")
        text = ""
        if media:
            text = json.dumps(media["examples"]["example"]["value"], indent=2, ensure_ascii=False)
        yield ResponseExample(status=status, text=text, description=_format_prose(response["description"]))


def _build_curl_command(base_url: str, path: str, method: str, operation_schema: dict[str, Any]) -> str:
    method_option = "" if method == "GET" else f" -X {method}"
    lines = [f"curl{method_option} {base_url}{path}", '-H "Authorization: Bearer $LEPTON_KEY"']
    body = operation_schema.get("requestBody", {}).get("content", {})
    if "application/json" in body:
        example = body["application/json"]["examples"]["example"]["value"]
        # In a shell, a quotation mark inside single quotes is written as '\'' (end, escaped mark, start).
        text = json.dumps(example, indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{text}'"]
    elif body:
        lines += ['-H "Content-Type: image/png"', "--data-binary @mug.png"]
    return " \\\n  ".join(lines)
