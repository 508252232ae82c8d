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
from lepton_platform.api.errors import KINDS, Kind

_YAML = ("application/yaml", "text/yaml", "application/vnd.oai.openapi")


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Example:
    status: str
    text: str
    means: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation as the page shows it."""

    name: str
    method: str
    path: str
    summary: str
    about: str
    scope: str
    parameters: tuple[Field, ...]
    fields: tuple[Field, ...]
    curl: str
    answers: tuple[Example, ...]
    problems: tuple[tuple[str, Kind], ...]


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """JSON, or YAML when `?format=yaml` or `Accept` asks for it."""
    wanted = request.GET.get("format", "")
    accepted = request.headers.get("Accept", "")
    if wanted == "yaml" or (not wanted and any(kind in accepted for kind in _YAML)):
        return HttpResponse(_as_yaml(), content_type="application/yaml; charset=utf-8")
    return HttpResponse(_as_json(), content_type="application/json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    base = f"{request.scheme}://{request.get_host()}"
    context = {"groups": _groups(base), "problems": tuple(KINDS.items()), "base": base}
    return render(request, "docs.html", context)


@lru_cache(maxsize=1)
def _as_json() -> bytes:
    return json.dumps(openapi.document(), ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(maxsize=1)
def _as_yaml() -> bytes:
    text: str = yaml.safe_dump(openapi.document(), sort_keys=False, allow_unicode=True, width=110)
    return text.encode()


@lru_cache(maxsize=8)
def _groups(base: str) -> tuple[tuple[str, list[Entry]], ...]:
    document = openapi.document()
    groups: dict[str, list[Entry]] = {}
    for path, operation in openapi.operations():
        described = document["paths"][path][operation.method.lower()]
        groups.setdefault(described["tags"][0], []).append(
            Entry(
                name=operation.name,
                method=operation.method,
                path=path,
                summary=operation.summary,
                about=_prose(operation.about),
                scope=operation.needs,
                parameters=tuple(_parameters(described)),
                fields=tuple(_fields(document, described)),
                curl=_curl(base, path, operation.method, described),
                answers=tuple(_answers(described)),
                problems=tuple((code, KINDS[code]) for code in openapi.codes_of(path, operation)),
            )
        )
    return tuple(groups.items())


def _prose(text: str) -> SafeString:
    """Escaped, with `code` between backticks."""
    parts = text.split("`")
    return format_html_join("", "{}", ((_code(part) if odd % 2 else part,) for odd, part in enumerate(parts)))


def _code(text: str) -> SafeString:
    return format_html("<code>{}</code>", text)


def _parameters(described: dict[str, Any]) -> Iterator[Field]:
    for one in described["parameters"]:
        about = one.get("description", "")
        yield Field(one["name"], f"{one['in']}, {_kind(one['schema'])}", one["required"], _prose(about))


def _fields(document: dict[str, Any], described: dict[str, Any]) -> Iterator[Field]:
    media = described.get("requestBody", {}).get("content", {}).get("application/json")
    if media is None:
        return
    owner = media["schema"]
    prefix = ""
    if "properties" in owner:
        prefix, rows = next(iter(owner["properties"].items()))
        owner, prefix = rows["items"], f"{prefix}[]."
    owner = document["components"]["schemas"][owner["$ref"].rpartition("/")[2]]
    for name, schema in owner["properties"].items():
        yield Field(prefix + name, _kind(schema), name in owner.get("required", ()), _bounds(schema))


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or "any")


_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} names",
    "pattern": "like {}",
}


def _bounds(schema: dict[str, Any]) -> str:
    parts = [schema, *schema.get("anyOf", [])]
    found = [
        words.format(_number(part[name])) for part in parts for name, words in _BOUNDS.items() if name in part
    ]
    if schema.get("default") not in (None, [], {}, ""):
        found.append(f"default {json.dumps(schema['default'])}")
    return ", ".join(found)


def _number(value: Any) -> Any:
    return f"{value:,.0f}" if isinstance(value, int | float) and value == int(value) else value


def _answers(described: dict[str, Any]) -> Iterator[Example]:
    for status, answer in described["responses"].items():
        if "$ref" in answer:
            continue
        media = answer.get("content", {}).get("application/json")
        text = (
            json.dumps(media["examples"]["example"]["value"], indent=2, ensure_ascii=False) if media else ""
        )
        yield Example(status, text, _prose(answer["description"]))


def _curl(base: str, path: str, method: str, described: dict[str, Any]) -> str:
    verb = "" if method == "GET" else f" -X {method}"
    lines = [f"curl{verb} {base}{path}", '-H "Authorization: Bearer $LEPTON_KEY"']
    body = described.get("requestBody", {}).get("content", {})
    if "application/json" in body:
        example = body["application/json"]["examples"]["example"]["value"]
        text = json.dumps(example, indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{text}'"]
    elif body:
        lines += ['-H "Content-Type: image/png"', "--data-binary @mug.png"]
    return " \\\n  ".join(lines)
