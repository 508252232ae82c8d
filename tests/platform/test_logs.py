"""Secrets are removed from log lines."""

from __future__ import annotations

import pytest

from lepton_platform.logs import redact_secrets


def redact(**event: object) -> dict[str, object]:
    return redact_secrets(None, "info", event)


@pytest.mark.parametrize(
    "name", ["password", "Authorization", "api_key", "set_cookie", "csrf_token", "key_pepper"]
)
def test_a_field_with_a_secret_name_is_removed(name):
    assert redact(**{name: "x"}) == {name: "[removed]"}


@pytest.mark.parametrize(
    "text",
    [
        "key lep_live_eu_abc123_secretsecret was used",
        "Authorization: Bearer abcdef.ghijk",
        "connect to postgresql://lepton_app:hunter2@db/x failed",
    ],
)
def test_a_secret_inside_a_text_is_removed(text):
    redacted = redact(event=text)["event"]
    assert isinstance(redacted, str)
    assert "[removed]" in redacted
    assert not any(secret in redacted for secret in ("secretsecret", "abcdef", "hunter2"))


def test_nested_secrets_are_removed():
    assert redact(request={"headers": [{"cookie": "a"}, "Bearer zzz"]}) == {
        "request": {"headers": [{"cookie": "[removed]"}, "Bearer [removed]"]}
    }


def test_bytes_are_replaced_by_their_length():
    assert redact(body=b"personal") == {"body": "[8 bytes]"}


def test_ordinary_fields_are_unchanged():
    assert redact(event="job.finished", seconds=1.5, keyword="a") == {
        "event": "job.finished",
        "seconds": 1.5,
        "keyword": "a",
    }
