"""What clients call their items and customers stays out of the log."""

from __future__ import annotations

import logging
from io import StringIO
from typing import Any, cast

import pytest

from lepton_platform.api.routes import ROUTES
from lepton_platform.logs import build_logging_settings, redact_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /api/v1/profiles/ann%40mail.example", "GET /api/v1/profiles/[removed]"),
        ("Not Found: /api/v1/items/canary/similar?k=3", "Not Found: /api/v1/items/[removed]"),
        ("Not Found: /api/v1/items/blue canary", "Not Found: /api/v1/items/[removed]"),
        ('Not Found: /api/v1/profiles/it\'s "canary"/x', "Not Found: /api/v1/profiles/[removed]"),
        ("GET /api/v1/items?search=canary&limit=3", "GET /api/v1/items?[removed]"),
        ("GET /t/shop/catalogue/?q=canary", "GET /t/shop/catalogue/?[removed]"),
        ("POST /api/v1/events", "POST /api/v1/events"),
        ("Not Found: /api/v1/canary", "Not Found: /api/[removed]"),
        ("Not Found: /api/v1/items2/canary", "Not Found: /api/[removed]"),
        ("Not Found: /api/v2/profiles/canary", "Not Found: /api/[removed]"),
        ("Not Found: /API/v1/profiles/canary", "Not Found: /API/v1/profiles/[removed]"),
        ("Not Found: /api/profiles/canary mail", "Not Found: /api/[removed]"),
        ("GET /api/schema", "GET /api/schema"),
        ("is this /healthz ? yes", "is this /healthz ? yes"),
    ],
)
def test_ids_and_searches_in_addresses_are_removed(text: str, shown: str) -> None:
    assert redact_secrets(None, "info", {"request": text}) == {"request": shown}


def test_every_address_of_the_api_keeps_its_first_word() -> None:
    for template, _operations in ROUTES:
        section = template.partition("/")[0]
        text = f"Not Found: /api/v1/{section}"
        assert redact_secrets(None, "info", {"event": text}) == {"event": text}


def test_a_request_leaves_no_id_in_the_log(owner: Any) -> None:
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(_formatter())
    logging.getLogger().addHandler(handler)
    try:
        owner.get("/api/v1/profiles/canary-ann")
        owner.delete("/api/v1/items/canary-mug?search=canary")
    finally:
        logging.getLogger().removeHandler(handler)
    assert "/api/v1/profiles/[removed]" in written.getvalue()
    assert "canary" not in written.getvalue()


def _formatter() -> logging.Formatter:
    """The one that `lepton_platform.logs` configured."""
    named = build_logging_settings()["formatters"]["json"]
    return cast("logging.Formatter", named.pop("()")(**named))
