"""The readable documentation at `/docs` and the schema at `/api/schema`; nothing asks another host."""

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
    """One operation as the page shows it."""

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
    """JSON, or YAML when `?format=yaml` or `Accept` asks for it."""
    wanted = request.GET.get("format", "")
    accepted = request.headers.get("Accept", "")
    if wanted == "yaml" or (not wanted and any(kind in accepted for kind in _YAML_TYPES)):
        return HttpResponse(_dump_yaml(), content_type="application/yaml; charset=utf-8")
    return HttpResponse(_dump_json(), content_type="application/json")


@require_safe
def show_docs(request: HttpRequest) -> HttpResponse:
    base = f"{request.scheme}://{request.get_host()}"
    context = {"groups": _group_operations(base), "problems": tuple(PROBLEM_TYPES.items()), "base": base}
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
        described = document["paths"][path][operation.method.lower()]
        groups.setdefault(described["tags"][0], []).append(
            DocumentedOperation(
                name=operation.name,
                method=operation.method,
                path=path,
                summary=operation.summary,
                description=_format_prose(operation.description),
                scope=operation.required_scope,
                parameters=tuple(_describe_parameters(described)),
                fields=tuple(_describe_fields(document, described)),
                curl=_build_curl_command(base_url, path, operation.method, described),
                responses=tuple(_describe_responses(described)),
                problems=tuple(
                    (code, PROBLEM_TYPES[code]) for code in openapi.list_error_codes(path, operation)
                ),
            )
        )
    return tuple(groups.items())


def _format_prose(text: str) -> SafeString:
    """Escaped, with `code` between backticks."""
    parts = text.split("`")
    return format_html_join(
        "", "{}", ((_format_code(part) if odd % 2 else part,) for odd, part in enumerate(parts))
    )


def _format_code(text: str) -> SafeString:
    return format_html("<code>{}</code>", text)


def _describe_parameters(operation_schema: dict[str, Any]) -> Iterator[DocumentedField]:
    for one in operation_schema["parameters"]:
        about = one.get("description", "")
        yield DocumentedField(
            one["name"],
            f"{one['in']}, {_describe_type(one['schema'])}",
            one["required"],
            _format_prose(about),
        )


def _describe_fields(document: dict[str, Any], operation_schema: dict[str, Any]) -> Iterator[DocumentedField]:
    media = operation_schema.get("requestBody", {}).get("content", {}).get("application/json")
    if media is None:
        return
    owner = media["schema"]
    prefix = ""
    if "properties" in owner:
        prefix, rows = next(iter(owner["properties"].items()))
        owner, prefix = rows["items"], f"{prefix}[]."
    owner = document["components"]["schemas"][owner["$ref"].rpartition("/")[2]]
    for name, schema in owner["properties"].items():
        yield DocumentedField(
            prefix + name, _describe_type(schema), name in owner.get("required", ()), _describe_bounds(schema)
        )


def _describe_type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_describe_type(one) for one in schema["anyOf"]))
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
    parts = [schema, *schema.get("anyOf", [])]
    found = [
        words.format(_format_number(part[name]))
        for part in parts
        for name, words in _BOUND_FORMATS.items()
        if name in part
    ]
    if schema.get("default") not in (None, [], {}, ""):
        found.append(f"default {json.dumps(schema['default'])}")
    return ", ".join(found)


def _format_number(value: Any) -> Any:
    return f"{value:,.0f}" if isinstance(value, int | float) and value == int(value) else value


def _describe_responses(operation_schema: dict[str, Any]) -> Iterator[ResponseExample]:
    for status, answer in operation_schema["responses"].items():
        if "$ref" in answer:
            continue
        media = answer.get("content", {}).get("application/json")
        text = (
            json.dumps(media["examples"]["example"]["value"], indent=2, ensure_ascii=False) if media else ""
        )
        yield ResponseExample(status, text, _format_prose(answer["description"]))


def _build_curl_command(base_url: str, path: str, method: str, operation_schema: dict[str, Any]) -> str:
    verb = "" if method == "GET" else f" -X {method}"
    lines = [f"curl{verb} {base_url}{path}", '-H "Authorization: Bearer $LEPTON_KEY"']
    body = operation_schema.get("requestBody", {}).get("content", {})
    if "application/json" in body:
        example = body["application/json"]["examples"]["example"]["value"]
        text = json.dumps(example, indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{text}'"]
    elif body:
        lines += ['-H "Content-Type: image/png"', "--data-binary @mug.png"]
    return " \\\n  ".join(lines)
