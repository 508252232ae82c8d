"""docs/proofs.md lists the rows that tests are marked with."""

from __future__ import annotations

import re

from tests.docs.markdown import ROOT, open_document

PAGE = open_document("docs/proofs.md")


def test_every_row_has_a_test_and_every_marked_row_is_listed() -> None:
    marked = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        marked |= {
            int(number)
            for number in re.findall(r"mark\.proof\(row=(\d+)\)", path.read_text(encoding="utf-8"))
        }
    assert {int(row[0]) for row in PAGE.get_table("row")} == marked


def test_every_number_up_to_the_last_row_is_explained() -> None:
    rows = {int(row[0]) for row in PAGE.get_table("row")}
    unproved = {int(number) for row in PAGE.get_table("number") for number in row[0].split(",")}
    assert rows | unproved == set(range(1, max(rows) + 1))
    assert not rows & unproved
