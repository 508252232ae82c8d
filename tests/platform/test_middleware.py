"""Response headers, the request log and the health endpoints."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse

from lepton_platform import middleware
from lepton_platform.middleware import HealthMiddleware, RequestLogMiddleware


@pytest.fixture
def request_for_ann() -> HttpRequest:
    request = HttpRequest()
    request.method, request.path = "GET", "/api/v1/profiles/ann-lee"
    return request


def test_a_failed_request_is_logged_without_its_path(request_for_ann, monkeypatch):
    lines: list[dict[str, object]] = []
    monkeypatch.setattr(middleware.log, "error", lambda _event, **fields: lines.append(fields))
    RequestLogMiddleware(lambda _request: HttpResponse(status=503))(request_for_ann)
    assert [(line["method"], line["status"]) for line in lines] == [("GET", 503)]
    assert "ann-lee" not in str(lines)


def test_every_response_has_its_own_request_id(request_for_ann):
    responses = [RequestLogMiddleware(lambda _request: HttpResponse())(request_for_ann) for _ in range(2)]
    assert len({response.headers["X-Request-Id"] for response in responses}) == 2


@pytest.mark.parametrize("path", ["/account/login/", "/docs", "/api/v1/nothing", "/staff/login/"])
def test_security_headers_are_set_on_every_page(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in headers["Permissions-Policy"]


def test_only_the_staff_pages_may_evaluate_scripts(client):
    allows_eval = {
        path: "unsafe-eval" in client.get(path).headers["Content-Security-Policy"]
        for path in ("/account/login/", "/docs", "/staff/login/")
    }
    assert allows_eval == {"/account/login/": False, "/docs": False, "/staff/login/": True}


def test_healthz_is_answered_for_any_host(client):
    response = client.get("/healthz", headers={"Host": "balancer.internal"})
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_a_ready_process_reaches_its_databases(client):
    assert client.get("/readyz").json() == {"ready": True, "missing": []}


def test_a_missing_database_is_named(client, monkeypatch):
    monkeypatch.setattr(middleware, "find_unavailable_databases", lambda: ["keys_us"])
    response = HealthMiddleware(lambda _request: HttpResponse())(client.get("/readyz").wsgi_request)
    assert (response.status_code, response.content) == (503, b'{"ready": false, "missing": ["keys_us"]}')
