"""The OpenAPI 3.1 schema, made from the same declarations that serve the requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from drf_spectacular.generators import SchemaGenerator

from lepton_platform.api.errors import KINDS, Problem
from lepton_platform.api.operations import Answer, Binary, Json, Nothing, Operation, Rows
from lepton_platform.api.permissions import SCOPES
from lepton_platform.api.routes import PREFIX, ROUTES

Object = dict[str, Any]

PROBLEM = "application/problem+json"
_REF = "#/components/schemas/{name}"
_ALWAYS = (
    "unauthenticated",
    "forbidden",
    "tenant_suspended",
    "region_not_served",
    "quota_exceeded",
    "internal_error",
    "store_unavailable",
    "key_service_unavailable",
)
_WITH_BODY = ("malformed_json", "length_required", "too_large", "unsupported_media_type", "invalid")
_WITH_KEY = ("idempotency_in_flight", "idempotency_key_reused", "invalid")
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The first answer is kept for 24 hours and given again, byte for byte.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


@lru_cache(maxsize=1)
def document() -> Object:
    """The whole schema as built-in types; built once a process."""
    generator: Any = SchemaGenerator
    built: Object = generator().get_schema(request=None, public=True)
    return built


def add_operations(result: Object, **_context: Any) -> Object:
    """A drf-spectacular hook: the operations are plain views, so their paths are added here."""
    components = result.setdefault("components", {})
    components["schemas"] = _schemas()
    components["responses"] = dict(_problems())
    components["headers"] = {
        "X-Request-Id": {
            "description": "Quote it when you ask about a request.",
            "schema": {"type": "string"},
        }
    }
    components["securitySchemes"] = {
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "lep_live_<region>_<id>_<secret>",
            "description": "Scopes:\n\n"
            + "\n".join(f"- `{name}`: {about}" for name, about in SCOPES.items()),
        }
    }
    for template, operations in ROUTES:
        described = {operation.method.lower(): _operation(template, operation) for operation in operations}
        result["paths"][PREFIX + template] = described
    return result


def operations() -> Iterator[tuple[str, Operation]]:
    """Every path template with each of its operations."""
    for template, declared in ROUTES:
        for operation in declared:
            yield PREFIX + template, operation


def codes_of(template: str, operation: Operation) -> list[str]:
    """Every error code that the operation can answer with."""
    codes = {*_ALWAYS, *operation.codes}
    if not isinstance(operation.body, Nothing):
        codes.update(_WITH_BODY)
    if operation.query or "{" in template:
        codes.add("invalid")
    if operation.is_idempotent_by_key:
        codes.update(_WITH_KEY)
    return [code for code in KINDS if code in codes]


def _operation(template: str, operation: Operation) -> Object:
    statuses = sorted({KINDS[code].status for code in codes_of(template, operation)})
    described: Object = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.about}\n\nNeeds the scope `{operation.needs}`.".strip(),
        "tags": [template.partition("/")[0]],
        "security": [{"apiKey": [operation.needs]}],
        "parameters": [*_path_parameters(template), *_query_parameters(operation)],
        "responses": {
            **{str(answer.status): _answer(answer) for answer in operation.answers},
            **{str(status): {"$ref": f"#/components/responses/{_group_name(status)}"} for status in statuses},
        },
    }
    if operation.is_idempotent_by_key:
        described["parameters"].append(_IDEMPOTENCY_KEY)
    if not isinstance(operation.body, Nothing):
        described["requestBody"] = _request_body(operation)
    return described


def _path_parameters(template: str) -> list[Object]:
    names = re.findall(r"{(\w+)}", template)
    schema = {"type": "string", "minLength": 1, "maxLength": 256}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _query_parameters(operation: Operation) -> list[Object]:
    return [
        {"name": p.name, "in": "query", "required": False, "description": p.about, "schema": p.schema}
        for p in operation.query
    ]


def _request_body(operation: Operation) -> Object:
    body = operation.body
    if isinstance(body, Binary):
        return {"required": True, "content": {media_type: {} for media_type in body.media_types}}
    media: Object = {"schema": _body_schema(body), "examples": {"example": {"value": body.example}}}
    return {"required": not getattr(body, "optional", False), "content": {"application/json": media}}


def _body_schema(body: Any) -> Object:
    if isinstance(body, Rows):
        rows = {"type": "array", "maxItems": 1000, "items": _reference(body.kind)}
        return {
            "type": "object",
            "properties": {body.name: rows},
            "required": [body.name],
            "additionalProperties": False,
        }
    return _reference(body.kind)


def _answer(answer: Answer) -> Object:
    described: Object = {
        "description": answer.means,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
    }
    if answer.kind is bytes:
        described["content"] = {media_type: {} for media_type in ("image/jpeg", "image/png", "image/webp")}
    elif answer.kind is not None:
        example = msgspec.to_builtins(answer.example)
        media = {"schema": _reference(answer.kind), "examples": {"example": {"value": example}}}
        described["content"] = {"application/json": media}
    return described


def _problems() -> Iterator[tuple[str, Object]]:
    for status in sorted({kind.status for kind in KINDS.values()}):
        codes = [code for code, kind in KINDS.items() if kind.status == status]
        yield _group_name(status), _problem(codes)


def _group_name(status: int) -> str:
    return f"Problem{status}"


def _problem(codes: list[str]) -> Object:
    examples = {code: {"value": _example(code)} for code in codes}
    return {
        "description": " / ".join(KINDS[code].title for code in codes),
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        "content": {PROBLEM: {"schema": _reference(Problem), "examples": examples}},
    }


def _example(code: str) -> Object:
    kind = KINDS[code]
    wrong = {"pointer": "/events/3/price", "code": "type", "detail": "Expected `float | null`, got `str`."}
    return {
        "type": f"/docs#problem-{code}",
        "title": kind.title,
        "status": kind.status,
        "code": code,
        "detail": kind.meaning,
        "request_id": "01936f6e8a107cc19c1f3b5a6c7d8e9f",
        "errors": [wrong] if code == "invalid" else [],
    }


@lru_cache(maxsize=1)
def _kinds() -> tuple[Any, ...]:
    kinds: dict[str, Any] = {"Problem": Problem}
    for _, operation in operations():
        if isinstance(operation.body, Json | Rows):
            kinds[operation.body.kind.__name__] = operation.body.kind
        for answer in operation.answers:
            if answer.kind not in (None, bytes):
                kinds[answer.kind.__name__] = answer.kind
    return tuple(kinds.values())


def _schemas() -> Object:
    _, components = msgspec.json.schema_components(_kinds(), schema_hook=_anything, ref_template=_REF)
    return dict(sorted(components.items()))


def _anything(_kind: type) -> Object:
    """For fields typed `object`. An empty schema counts as none for msgspec."""
    return {"description": "Any JSON value."}


def _reference(kind: Any) -> Object:
    return {"$ref": _REF.format(name=kind.__name__)}
