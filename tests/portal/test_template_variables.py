"""Templates resolve a misspelt variable to an empty text; these tests find such variables."""

from __future__ import annotations

import logging

import pytest

from tests.portal.workspace import Workspace, browser

PAGES = [
    "overview/",
    "catalogue/",
    "catalogue/?view=table",
    "catalogue/item/?id=sku-3",
    "catalogue/import/",
    "models/",
    "models/v2/",
    "preview/",
    "reports/",
    "privacy/",
    "keys/",
    "members/",
    "audit/",
]
# Parameters of an include or of a page that its caller may omit.
OPTIONAL = {"css", "dialog", "post_to", "href", "optional", "image", "chart_label", "form", "errors", "field"}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_resolves_every_variable(
    lively: Workspace, database: None, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.DEBUG, logger="django.template")
    assert browser(lively.owner).get(f"/t/{lively.slug}/{path}").status_code == 200
    unresolved = {
        (record.args[1], record.args[0])
        for record in caplog.records
        if record.name == "django.template" and isinstance(record.args, tuple) and len(record.args) == 2
    }
    assert {row for row in unresolved if str(row[1]) not in OPTIONAL} == set()
