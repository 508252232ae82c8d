"""The OpenAPI 3.1 document, built from the declarations that also dispatch the requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from drf_spectacular.generators import SchemaGenerator

from lepton_platform.api.errors import PROBLEM_TYPES, Problem
from lepton_platform.api.operations import (
    ApiOperation,
    BatchBody,
    BinaryBody,
    EmptyBody,
    JsonBody,
    ResponseSpec,
)
from lepton_platform.api.permissions import SCOPE_DESCRIPTIONS
from lepton_platform.api.routes import PREFIX, ROUTES

JsonObject = dict[str, Any]

PROBLEM_CONTENT_TYPE = "application/problem+json"
_REF = "#/components/schemas/{name}"
# Codes that authentication, the rate limit, the scope check and the database can give for every operation.
_COMMON_CODES = (
    "unauthenticated",
    "forbidden",
    "tenant_suspended",
    "region_not_served",
    "quota_exceeded",
    "internal_error",
    "store_unavailable",
    "key_service_unavailable",
)
_BODY_CODES = ("malformed_json", "length_required", "too_large", "unsupported_media_type", "invalid")
_IDEMPOTENCY_CODES = ("idempotency_in_flight", "idempotency_key_reused", "invalid")
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The first response is stored for 24 hours; a repeated request gets the same bytes.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


@lru_cache(maxsize=1)
def build_document() -> JsonObject:
    """Returns the document as built-in types. It is built once per process."""
    generator: Any = SchemaGenerator
    document: JsonObject = generator().get_schema(request=None, public=True)
    return document


def add_operations(result: JsonObject, **_context: Any) -> JsonObject:
    """Adds paths and components to the document; a post-processing hook of drf-spectacular.

    drf-spectacular finds only DRF views, and the operations are plain Django views.
    """
    components = result.setdefault("components", {})
    components["schemas"] = _build_schemas()
    components["responses"] = dict(_iter_problem_responses())
    components["headers"] = {
        "X-Request-Id": {
            "description": "Identifies the request in error reports.",
            "schema": {"type": "string"},
        }
    }
    components["securitySchemes"] = {
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "lep_live_<region>_<id>_<secret>",
            "description": _describe_scopes(),
        }
    }
    for template, operations in ROUTES:
        path_item = {}
        for operation in operations:
            path_item[operation.method.lower()] = _describe_operation(template, operation)
        result["paths"][PREFIX + template] = path_item
    return result


def iter_operations() -> Iterator[tuple[str, ApiOperation]]:
    """Yields every path template with each of its operations."""
    for template, operations in ROUTES:
        for operation in operations:
            yield PREFIX + template, operation


def list_error_codes(template: str, operation: ApiOperation) -> list[str]:
    """Returns every error code that the operation can respond with, in the order of `PROBLEM_TYPES`."""
    codes = {*_COMMON_CODES, *operation.error_codes}
    if not isinstance(operation.body, EmptyBody):
        codes.update(_BODY_CODES)
    # Path parameters have a length limit, query parameters a format.
    if operation.query_parameters or "{" in template:
        codes.add("invalid")
    if operation.is_idempotent_by_key:
        codes.update(_IDEMPOTENCY_CODES)
    return [code for code in PROBLEM_TYPES if code in codes]


def _describe_scopes() -> str:
    lines = [f"- `{name}`: {description}" for name, description in SCOPE_DESCRIPTIONS.items()]
    return "Scopes:\n\n" + "\n".join(lines)


def _describe_operation(template: str, operation: ApiOperation) -> JsonObject:
    schema: JsonObject = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.description}\n\nNeeds the scope `{operation.required_scope}`.".strip(),
        "tags": [template.partition("/")[0]],
        # The scope names are not scopes of OAuth; OpenAPI 3.1 allows role names for any scheme.
        "security": [{"apiKey": [operation.required_scope]}],
        "parameters": [*_describe_path_parameters(template), *_describe_query_parameters(operation)],
        "responses": _describe_responses(template, operation),
    }
    if operation.is_idempotent_by_key:
        schema["parameters"].append(_IDEMPOTENCY_KEY)
    if not isinstance(operation.body, EmptyBody):
        schema["requestBody"] = _describe_request_body(operation)
    return schema


def _describe_responses(template: str, operation: ApiOperation) -> JsonObject:
    """Successful responses are described in place; errors refer to one component for each status."""
    responses = {}
    for response in operation.responses:
        responses[str(response.status)] = _describe_response(response)
    for status in sorted({PROBLEM_TYPES[code].status for code in list_error_codes(template, operation)}):
        responses[str(status)] = {"$ref": f"#/components/responses/{_format_response_name(status)}"}
    return responses


def _describe_path_parameters(template: str) -> list[JsonObject]:
    names = re.findall(r"{(\w+)}", template)
    schema = {"type": "string", "minLength": 1, "maxLength": 256}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _describe_query_parameters(operation: ApiOperation) -> list[JsonObject]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "required": False,
            "description": parameter.description,
            "schema": parameter.schema,
        }
        for parameter in operation.query_parameters
    ]


def _describe_request_body(operation: ApiOperation) -> JsonObject:
    body = operation.body
    if isinstance(body, BinaryBody):
        return {"required": True, "content": {media_type: {} for media_type in body.media_types}}
    media: JsonObject = {"schema": _build_body_schema(body), "examples": {"example": {"value": body.example}}}
    return {"required": not getattr(body, "optional", False), "content": {"application/json": media}}


def _build_body_schema(body: Any) -> JsonObject:
    if isinstance(body, BatchBody):
        rows = {"type": "array", "maxItems": 1000, "items": _build_reference(body.data_type)}
        return {
            "type": "object",
            "properties": {body.name: rows},
            "required": [body.name],
            "additionalProperties": False,
        }
    return _build_reference(body.data_type)


def _describe_response(response: ResponseSpec) -> JsonObject:
    schema: JsonObject = {
        "description": response.description,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
    }
    # The types that a stored image may have.
    if response.data_type is bytes:
        schema["content"] = {media_type: {} for media_type in ("image/jpeg", "image/png", "image/webp")}
    elif response.data_type is not None:
        # Examples are partly Structs, which the JSON encoder of the document does not know.
        example = msgspec.to_builtins(response.example)
        media = {"schema": _build_reference(response.data_type), "examples": {"example": {"value": example}}}
        schema["content"] = {"application/json": media}
    return schema


def _iter_problem_responses() -> Iterator[tuple[str, JsonObject]]:
    codes_by_status: dict[int, list[str]] = {}
    for code, problem_type in PROBLEM_TYPES.items():
        codes_by_status.setdefault(problem_type.status, []).append(code)
    for status in sorted(codes_by_status):
        yield _format_response_name(status), _describe_problem(codes_by_status[status])


def _format_response_name(status: int) -> str:
    return f"Problem{status}"


def _describe_problem(codes: list[str]) -> JsonObject:
    examples = {code: {"value": _build_problem_example(code)} for code in codes}
    return {
        "description": " / ".join(PROBLEM_TYPES[code].title for code in codes),
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        "content": {PROBLEM_CONTENT_TYPE: {"schema": _build_reference(Problem), "examples": examples}},
    }


def _build_problem_example(code: str) -> JsonObject:
    problem_type = PROBLEM_TYPES[code]
    errors: list[JsonObject] = []
    if code == "invalid":
        errors.append(
            {"pointer": "/events/3/price", "code": "type", "detail": "Expected `float | null`, got `str`."}
        )
    return {
        "type": f"/docs#problem-{code}",
        "title": problem_type.title,
        "status": problem_type.status,
        "code": code,
        "detail": problem_type.meaning,
        "request_id": "01936f6e8a107cc19c1f3b5a6c7d8e9f",
        "errors": errors,
    }


@lru_cache(maxsize=1)
def _collect_schema_types() -> tuple[Any, ...]:
    # Keyed by name, because msgspec names the component of a type by its class name.
    types: dict[str, Any] = {"Problem": Problem}
    for _, operation in iter_operations():
        if isinstance(operation.body, JsonBody | BatchBody):
            types[operation.body.data_type.__name__] = operation.body.data_type
        for response in operation.responses:
            if response.data_type not in (None, bytes):
                types[response.data_type.__name__] = response.data_type
    return tuple(types.values())


def _build_schemas() -> JsonObject:
    _, components = msgspec.json.schema_components(
        _collect_schema_types(), schema_hook=_describe_any_value, ref_template=_REF
    )
    return dict(sorted(components.items()))


def _describe_any_value(_data_type: type) -> JsonObject:
    """The schema of fields typed `object`. It has a description, because msgspec ignores an empty schema."""
    return {"description": "Any JSON value."}


def _build_reference(data_type: Any) -> JsonObject:
    return {"$ref": _REF.format(name=data_type.__name__)}
