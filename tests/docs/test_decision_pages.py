"""Decisions are numbered without gaps and follow one template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, Document

PAGES = sorted((DOCS / "decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Alternatives", "Consequences", "Revisit when"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_decision_follows_the_template(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    number = path.name[:4]
    assert re.match(
        rf"# {number} \S.*\n\n- Status: (proposed|accepted|superseded by .+)\n- Date: \d{{4}}-\d\d-\d\d\n",
        text,
    )
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in PAGES] == list(range(1, len(PAGES) + 1))


def test_the_index_shows_number_title_status_and_date() -> None:
    rows = Document(DOCS / "decisions" / "README.md").get_table("number")
    shown = {row[0]: (row[1], row[2], row[3]) for row in rows}
    for path in PAGES:
        lines = path.read_text(encoding="utf-8").splitlines()
        title, status, date = lines[0][7:], lines[2][10:], lines[3][8:]
        assert shown[path.name[:4]] == (f"[{title}]({path.name})", status, date)
